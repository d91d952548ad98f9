//! Any order of calls, on living, freed and made-up handles. A model says which codes may come back; each accepted
//! submission is handed out once, each callback is released once and not called afterwards.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use mailru::ffi::*;

use super::host::*;
use super::json::{self, Node};
use super::order_model::{Bytes, Kind, Method, Pending, Queue, Session, World};
use super::server::{self, Server, Shared, with_length};

/// The most operations of one order.
const MOST: usize = 40;

pub fn run(bytes: &[u8]) {
    let mut world = World::default();
    let mut bytes = Bytes(bytes.iter());
    for _ in 0..MOST {
        let Some(operation) = bytes.next() else { break };
        step(&mut world, operation, &mut bytes);
    }
    end(world, &mut bytes);
}

fn step(world: &mut World, operation: u8, bytes: &mut Bytes<'_>) {
    match operation % 20 {
        0 | 1 => new_session(world, bytes),
        2 => free_session(world, bytes),
        3 => {
            let slot = world.session(bytes);
            let expected = if world.lives(slot) { 0 } else { 2 };
            assert_eq!(mailru_session_cancel(world.handle(slot)), expected);
            world.cancel_pending(|pending| pending.session == slot);
        }
        4 | 5 => call(world, bytes),
        6 => {
            let slot = world.session(bytes);
            let handle = world.handle(slot);
            // SAFETY: the strings outlive the call.
            let signed = answer(|code| unsafe { mailru_sign(handle, c"a.b".as_ptr(), ptr::null(), code) });
            let codes: &[i32] = match world.kind(slot) {
                None => &[2],
                Some(Kind::Client) => &[0],
                Some(Kind::Public) => &[3],
                Some(Kind::Refresh) => &[0, 3],
            };
            assert!(codes.contains(&signed.code), "{signed:?}");
        }
        7 => {
            let slot = world.session(bytes);
            let shown = tokens(world.handle(slot));
            assert_eq!(shown.code, if world.lives(slot) { 0 } else { 2 });
            if let Some(Session { token: Some(token), .. }) = &world.sessions[slot] {
                let node = json::read(&shown.json).expect("JSON");
                assert_eq!(node.last("access_token").and_then(Node::text).as_ref(), Some(token));
            }
        }
        8 => set_tokens(world, bytes),
        9 => set_callback(world, bytes),
        10 => get_tokens(world, bytes),
        11 => new_queue(world, bytes),
        12..=14 => submit(world, bytes),
        15 => {
            let slot = world.queue(bytes);
            next(world, slot, 0);
        }
        16 => {
            let (slot, tag) = (world.queue(bytes), u64::from(bytes.below(4)));
            let is_there = world.queues[slot].is_some();
            assert_eq!(mailru_queue_cancel(world.queue_handles[slot], tag), if is_there { 0 } else { 2 });
            if let Some(queue) = &mut world.queues[slot] {
                queue.pending.iter_mut().filter(|pending| pending.tag == tag).for_each(|it| it.is_cancelled = true);
            }
        }
        17 => {
            let slot = world.queue(bytes);
            mailru_queue_free(world.queue_handles[slot]);
            world.queues[slot] = None;
        }
        18 => cancels(world, bytes),
        _ => wrong_handles(world, bytes),
    }
}

fn new_session(world: &mut World, bytes: &mut Bytes<'_>) {
    let slot = world.session(bytes);
    free(world, slot);
    let kind = [Kind::Client, Kind::Refresh, Kind::Public][usize::from(bytes.below(3))];
    // SAFETY: the strings outlive the calls.
    let session = made(|error| unsafe {
        let [app_id, private, secret, token, uid] = [APP_ID, PRIVATE_KEY, SECRET_KEY, TOKEN, UID].map(CStr::as_ptr);
        let options = options();
        match kind {
            Kind::Client => mailru_client_session_new(app_id, private, token, uid, options.as_ptr(), error),
            Kind::Refresh => {
                mailru_refresh_session_new(app_id, private, secret, c"r".as_ptr(), options.as_ptr(), error)
            }
            Kind::Public => mailru_public_session_new(options.as_ptr(), error),
        }
    });
    let session = session.expect("valid");
    let token = (kind == Kind::Client).then(|| TOKEN.to_str().unwrap_or_default().to_owned());
    world.session_handles[slot] = session.0;
    std::mem::forget(session);
    world.sessions[slot] = Some(Session { kind, token });
}

fn free_session(world: &mut World, bytes: &mut Bytes<'_>) {
    let slot = world.session(bytes);
    free(world, slot);
    if bytes.below(2) == 1 {
        free(world, slot);
    }
}

fn free(world: &mut World, slot: usize) {
    mailru_session_free(world.session_handles[slot]);
    world.sessions[slot] = None;
    world.cancel_pending(|pending| pending.session == slot);
}

fn call(world: &mut World, bytes: &mut Bytes<'_>) {
    let (slot, cancel) = (world.session(bytes), world.cancel(bytes));
    let method = [Method::Good, Method::Refused, Method::Cut][usize::from(bytes.below(3))];
    let handle = world.handle(slot);
    // SAFETY: the strings outlive the call.
    let given = answer(|code| unsafe {
        mailru_call_within(handle, method.name().as_ptr(), c"{\"a\":1}".as_ptr(), 0, world.cancel_handle(cancel), code)
    });
    let codes: &[i32] = match (world.kind(slot), world.is_fired(cancel)) {
        (None, _) | (_, None) => &[2],
        (Some(Kind::Public), Some(true)) => &[3, CANCELLED],
        (Some(Kind::Public), Some(false)) => &[3],
        (_, Some(true)) => &[CANCELLED],
        (_, Some(false)) => method.codes(),
    };
    assert!(codes.contains(&given.code), "{method:?} {given:?}");
}

fn set_tokens(world: &mut World, bytes: &mut Bytes<'_>) {
    let slot = world.session(bytes);
    if world.kind(slot) == Some(Kind::Public) {
        return;
    }
    let token = format!("given-{}", bytes.below(10));
    let tokens = c(format!("{{\"access_token\":\"{token}\",\"expires_in\":86400}}")).expect("no NUL");
    let handle = world.handle(slot);
    // SAFETY: the string outlives the call.
    let set = done(|error| unsafe { mailru_session_set_tokens(handle, tokens.as_ptr(), error) });
    match &mut world.sessions[slot] {
        None => assert_eq!(set.expect_err("freed").code, 2),
        Some(session) => {
            assert!(set.is_ok(), "{set:?}");
            // Those of a renewal under way may replace them.
            session.token = (session.kind == Kind::Client).then_some(token);
        }
    }
}

/// What a callback was registered with.
#[derive(Default)]
pub struct Registered {
    released: AtomicBool,
}

extern "C" fn on_token(data: *mut c_void, tokens: *const c_char) {
    // SAFETY: a text of the library.
    let tokens = unsafe { CStr::from_ptr(tokens) }.to_str().expect("UTF-8");
    assert!(json::read(tokens).is_some(), "{tokens}");
    on_renewal(data, 0);
}

extern "C" fn on_renewal(data: *mut c_void, _: i32) {
    // SAFETY: `release` has not been called, which is checked here as far as memory allows.
    let registered = unsafe { &*data.cast::<Registered>() };
    assert!(!registered.released.load(Ordering::SeqCst), "called after its release");
}

extern "C" fn release(data: *mut c_void) {
    // SAFETY: made by `Arc::into_raw`, released once; the world has another reference.
    let registered = unsafe { Arc::from_raw(data.cast::<Registered>()) };
    assert!(!registered.released.swap(true, Ordering::SeqCst), "released twice");
}

fn set_callback(world: &mut World, bytes: &mut Bytes<'_>) {
    let (slot, which) = (world.session(bytes), bytes.below(4));
    let registered = Arc::<Registered>::default();
    let data = Arc::into_raw(Arc::clone(&registered)).cast_mut().cast();
    let handle = world.handle(slot);
    // SAFETY: the callbacks live as long as the program.
    let code = unsafe {
        match which {
            0 | 1 => mailru_session_on_token(handle, Some(on_token), data, Some(release)),
            2 => mailru_session_on_renewal(handle, Some(on_renewal), data, Some(release)),
            _ => mailru_session_on_token(handle, None, data, Some(release)),
        }
    };
    let expected = match world.kind(slot) {
        None => 2,
        Some(Kind::Public) => INVALID_ARGUMENT,
        Some(_) => 0,
    };
    assert_eq!(code, expected);
    world.registered.push(registered);
}

fn get_tokens(world: &mut World, bytes: &mut Bytes<'_>) {
    let slot = world.session(bytes);
    let given = authorize(world.handle(slot));
    let expected = match world.kind(slot) {
        None => 2,
        Some(Kind::Public) => INVALID_ARGUMENT,
        Some(_) => 0,
    };
    assert_eq!(given.code, expected, "{given:?}");
}

fn new_queue(world: &mut World, bytes: &mut Bytes<'_>) {
    let slot = world.queue(bytes);
    mailru_queue_free(world.queue_handles[slot]);
    let (workers, capacity) = (1 + u32::from(bytes.below(2)), 2 + u32::from(bytes.below(4)));
    // SAFETY: a failure's text is not wanted.
    let queue = unsafe { mailru_queue_new(workers, capacity, ptr::null_mut()) };
    assert_ne!(queue, 0);
    world.queue_handles[slot] = queue;
    world.queues[slot] = Some(Queue { capacity: capacity as usize, pending: Vec::new() });
}

fn submit(world: &mut World, bytes: &mut Bytes<'_>) {
    let (queue, session, cancel) = (world.queue(bytes), world.session(bytes), world.cancel(bytes));
    let (tag, what) = (u64::from(bytes.below(4)), bytes.below(16));
    let method = Method::ALL[usize::from(what) % Method::ALL.len()];
    if method == Method::Authorize && world.kind(session) == Some(Kind::Public) {
        return;
    }
    let request = method.request();
    let file = b"a file".as_slice();
    let (data, size) = if method == Method::Upload { (file.as_ptr(), file.len()) } else { (ptr::null(), 0) };
    let (of_queue, of_session) = (world.queue_handles[queue], world.handle(session));
    // SAFETY: the strings and the file outlive the call.
    let submitted = done(|error| unsafe {
        let cancel = world.cancel_handle(cancel);
        mailru_queue_request(of_queue, of_session, request.as_ptr(), data, size, cancel, tag, error)
    });
    let code = submitted.as_ref().map_or_else(|refused| refused.code, |()| 0);
    let fired = world.is_fired(cancel);
    let kind = world.kind(session);
    let Some(model) = world.queues[queue].as_mut() else { return assert_eq!(code, 2) };
    match (kind, fired) {
        (None, _) | (_, None) => assert_eq!(code, 2, "{submitted:?}"),
        (Some(Kind::Public), Some(_)) if method != Method::Page => assert_eq!(code, 3, "{submitted:?}"),
        (Some(_), Some(true)) => assert_eq!(code, CANCELLED, "{submitted:?}"),
        (Some(_), Some(false)) => {
            let is_full = model.pending.len() >= model.capacity;
            assert_eq!(code, if is_full { 30 } else { 0 }, "{method:?} {submitted:?}");
            if code == 0 {
                model.pending.push(Pending { tag, session, cancel, method, is_cancelled: false });
            }
        }
    }
}

/// Takes a completion; whether there was one.
fn next(world: &mut World, slot: usize, timeout_ms: i32) -> bool {
    let (mut tag, mut code) = (99, -1);
    // SAFETY: the out-parameters are local variables.
    let json = unsafe { mailru_queue_next(world.queue_handles[slot], timeout_ms, &mut tag, &mut code) };
    let Some(queue) = &mut world.queues[slot] else {
        assert_eq!((code, tag), (2, 0));
        taken(json);
        return false;
    };
    if json.is_null() {
        assert_eq!((code, tag), (31, 0));
        return false;
    }
    let given = answer(|out| {
        // SAFETY: a local variable.
        unsafe { *out = code };
        json
    });
    let fits = |pending: &Pending| pending.tag == tag && pending.may_end_with(code);
    // Of those that fit, one that may end in no other way.
    let place = queue.pending.iter().position(|it| fits(it) && !it.is_cancelled);
    let place = place.or_else(|| queue.pending.iter().position(fits));
    let place = place.unwrap_or_else(|| panic!("nothing with {tag} may end as {given:?}: {:?}", queue.pending));
    queue.pending.swap_remove(place);
    true
}

fn cancels(world: &mut World, bytes: &mut Bytes<'_>) {
    let slot = usize::from(bytes.below(2));
    let handle = world.cancel_handles[slot];
    let lives = world.cancels[slot].is_some();
    match bytes.below(4) {
        0 => {
            mailru_cancel_free(handle);
            world.cancels[slot] = Some(false);
            world.cancel_handles[slot] = mailru_cancel_new();
            // The old one cannot be fired any more.
            world.rename_cancel(slot);
        }
        1 | 2 => {
            assert_eq!(mailru_cancel_fire(handle), if lives { 0 } else { 2 });
            if lives {
                world.cancels[slot] = Some(true);
                world.cancel_pending(|pending| pending.cancel == Some(slot));
            }
        }
        _ => {
            let (mut sent, mut total) = (1, 1);
            // SAFETY: the out-parameters are local variables.
            let code = unsafe { mailru_cancel_progress(handle, &mut sent, &mut total) };
            assert_eq!(code, if lives { 0 } else { 2 });
            assert!(sent <= total && (lives || total == 0));
        }
    }
}

/// Numbers of another kind, freed ones and made-up ones.
fn wrong_handles(world: &mut World, bytes: &mut Bytes<'_>) {
    let of_queue = world.queue_handles[usize::from(bytes.below(2))];
    let of_cancel = world.cancel_handles[usize::from(bytes.below(2))];
    let made_up = u64::from(bytes.below(255)) << 40;
    for wrong in [of_queue, of_cancel, made_up, u64::MAX] {
        assert_eq!(stats(wrong).code, 2);
        assert_eq!(mailru_session_cancel(wrong), 2);
        mailru_session_free(wrong);
        if wrong != of_queue {
            assert_eq!(mailru_queue_cancel(wrong, 0), 2);
            mailru_queue_free(wrong);
        }
    }
    let slot = world.session(bytes);
    assert_eq!(stats(world.handle(slot)).code, if world.lives(slot) { 0 } else { 2 });
}

fn end(mut world: World, bytes: &mut Bytes<'_>) {
    for slot in 0..world.queues.len() {
        if bytes.below(4) > 0 {
            while world.queues[slot].as_ref().is_some_and(|queue| !queue.pending.is_empty()) {
                assert!(next(&mut world, slot, 10_000), "a submission is not handed out: {:?}", world.queues[slot]);
            }
            assert!(!next(&mut world, slot, 0), "more than was submitted");
        }
        mailru_queue_free(world.queue_handles[slot]);
    }
    world.session_handles.iter().for_each(|session| mailru_session_free(*session));
    world.cancel_handles.iter().for_each(|cancel| mailru_cancel_free(*cancel));
    let begun = Instant::now();
    while !world.registered.iter().all(|registered| registered.released.load(Ordering::SeqCst)) {
        assert!(begun.elapsed() < Duration::from_secs(10), "a callback is not released");
        thread::sleep(Duration::from_micros(50));
    }
}

fn options() -> &'static CStr {
    static OPTIONS: OnceLock<std::ffi::CString> = OnceLock::new();
    OPTIONS.get_or_init(|| {
        let address = Server::start(serve).address;
        let urls = ["api_url", "public_url", "token_url"].map(|name| format!("\"{name}\":\"http://{address}/{name}\""));
        c(format!("{{{},\"retries\":0,\"timeout_ms\":20000}}", urls.join(","))).expect("no NUL")
    })
}

/// Answers as the method says.
fn serve(mut stream: std::net::TcpStream, _: &Shared) {
    static LAST: AtomicU32 = AtomicU32::new(0);
    while let Some(head) = server::read_request(&mut stream) {
        let body = if head.contains("/token_url") {
            let number = LAST.fetch_add(1, Ordering::Relaxed);
            let user = UID.to_str().unwrap_or_default();
            format!("{{\"access_token\":\"t{number}\",\"refresh_token\":\"r\",\"x_mailru_vid\":\"{user}\"}}")
        } else if head.contains("method=cut.x") {
            return;
        } else if head.contains("method=hang.x") {
            let _ = server::read_request(&mut stream);
            return;
        } else if head.contains("method=refused.x") {
            "{\"error\":{\"error_code\":100,\"error_msg\":\"x\"}}".to_owned()
        } else {
            "{\"a\":1}".to_owned()
        };
        if std::io::Write::write_all(&mut stream, &with_length(200, "", body.as_bytes())).is_err() {
            return;
        }
    }
}
