//! The queue: submissions in, completions out, and a descriptor to wait on.

use std::ffi::c_char;
use std::sync::Arc;
use std::time::Duration;

use super::calls::bytes;
use super::handles::{self, Entry};
use super::strings::{optional, text, to_c};
use super::{
    mailru_cancel, mailru_queue, mailru_session, return_code, return_code_and_error, return_handle, run, write_out,
};
use crate::error::{Code, Failure, Outcome};
use crate::queue::Queue;
use crate::request::{self, Action, Call};

/// A queue: many calls for few threads of the host, such as the one of an event loop.
///
/// workers: how many calls may be in flight at once, at most 65536; 0 for 64. They are no threads: on
/// Linux a queue has one thread however many calls are in flight, elsewhere at most 64. It is started
/// by the first submission and ends when there was nothing to do for some seconds.
/// capacity: the most submissions that are not handed out yet; 0 for 1024, or twice the calls in
/// flight if that is more. Sessions take turns: one with many submissions does not hold up others.
/// error: receives NULL, or on failure the error's JSON, to be released with mailru_string_free. It
/// may be NULL.
/// Returns a handle to be released with mailru_queue_free, or 0 on failure. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_queue_new(workers: u32, capacity: u32, error: *mut *mut c_char) -> mailru_queue {
    // SAFETY: the header makes the pointer the caller's promise.
    unsafe { return_handle(error, || handles::insert(Entry::Queue(Arc::new(Queue::new(workers, capacity)?)))) }
}

/// Hands a call to a queue and returns at once.
///
/// queue: the queue; any number of threads and sessions may share it.
/// session, method, params_json: as for mailru_call; what that would refuse is refused here.
/// tag: comes back with the completion, to tell what it belongs to; not looked at.
/// error: receives NULL, or the error's JSON if the submission was refused, to be released with
/// mailru_string_free. It may be NULL.
/// Returns MAILRU_OK if the submission was accepted: then it is handed out exactly once, unless the
/// queue is freed first. Its time limit begins when it comes into flight. mailru_session_cancel and
/// mailru_session_free complete the session's submissions as MAILRU_CANCELLED.
/// Codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT, MAILRU_INVALID_HANDLE, MAILRU_SIGNATURE_UNDEFINED,
/// MAILRU_QUEUE_FULL, MAILRU_CANCELLED (the session was freed meanwhile), MAILRU_OUT_OF_MEMORY (no
/// thread could be started).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_queue_submit(
    queue: mailru_queue,
    session: mailru_session,
    method: *const c_char,
    params_json: *const c_char,
    tag: u64,
    error: *mut *mut c_char,
) -> i32 {
    let work = || {
        let queue = handles::queue(queue)?;
        let session = handles::session(session)?;
        // SAFETY: the header makes the pointers the caller's promise.
        let (method, params_json) = unsafe { (text("method", method)?, optional("params_json", params_json)?) };
        queue.submit(session, Action::Call(Call::new(method, params_json)?).into(), Vec::new(), None, tag)
    };
    // SAFETY: as above.
    unsafe { return_code_and_error(error, work) }
}

/// Hands any request to a queue and returns at once: uploads, public pages and authorization too.
///
/// queue, tag, error, the result and the codes: as for mailru_queue_submit.
/// session, request_json, cancel: as for mailru_request; what that would refuse is refused here. A
/// timeout_ms in request_json counts from the submission.
/// data, size: the file of an upload, copied; else NULL and 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_queue_request(
    queue: mailru_queue,
    session: mailru_session,
    request_json: *const c_char,
    data: *const u8,
    size: usize,
    cancel: mailru_cancel,
    tag: u64,
    error: *mut *mut c_char,
) -> i32 {
    let work = || {
        let queue = handles::queue(queue)?;
        let session = handles::session(session)?;
        // SAFETY: the header makes the pointers and the size the caller's promise.
        let (request_json, data) = unsafe { (text("request_json", request_json)?, bytes(data, size)?) };
        let request = request::parse(request_json, data.is_some())?;
        let cancel = handles::optional_cancel(cancel)?;
        queue.submit(session, request, copied(data.unwrap_or_default())?, cancel.as_deref(), tag)
    };
    // SAFETY: as above.
    unsafe { return_code_and_error(error, work) }
}

fn copied(data: &[u8]) -> Outcome<Vec<u8>> {
    let mut copy = Vec::new();
    let what = || format!("a copy of the file, {} bytes", data.len());
    copy.try_reserve_exact(data.len()).map_err(|_| Failure::out_of_memory(&what()))?;
    copy.extend_from_slice(data);
    Ok(copy)
}

/// Takes the next completion from a queue, in the order of completion.
///
/// timeout_ms: how long to wait for one in milliseconds; 0 does not wait, -1 waits until one comes,
/// also while nothing is pending.
/// tag: receives the submission's tag, or 0; may be NULL.
/// code: receives the call's code, or the reason why there is no completion; may be NULL.
/// Returns what mailru_call would have returned, to be released with mailru_string_free; NULL with
/// MAILRU_QUEUE_EMPTY. If the queue is freed, before or meanwhile, the error's JSON with
/// MAILRU_INVALID_HANDLE. Another negative timeout_ms is MAILRU_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_queue_next(
    queue: mailru_queue,
    timeout_ms: i32,
    tag: *mut u64,
    code: *mut i32,
) -> *mut c_char {
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe {
        write_out(tag, 0);
        write_out(code, Code::InternalError.number());
    }
    let taken = run(|| handles::queue(queue)?.next(wait(timeout_ms)?));
    let outcome = match taken {
        Ok(completion) => {
            // SAFETY: as above.
            unsafe { write_out(tag, completion.tag) };
            completion.result
        }
        Err(failure) => Err(failure),
    };
    let (number, json) = match outcome {
        Err(failure) if failure.code() == Code::QueueEmpty => (Code::QueueEmpty.number(), std::ptr::null_mut()),
        outcome => to_c(outcome),
    };
    // SAFETY: as above.
    unsafe { write_out(code, number) };
    json
}

fn wait(timeout_ms: i32) -> Outcome<Option<Duration>> {
    match u64::try_from(timeout_ms) {
        Ok(milliseconds) => Ok(Some(Duration::from_millis(milliseconds))),
        Err(_) if timeout_ms == -1 => Ok(None),
        Err(_) => Err(Failure::argument(
            "timeout_ms",
            "is negative; give milliseconds, 0 to poll, or -1 to wait until one comes",
        )),
    }
}

/// Completes what bears this tag as MAILRU_CANCELLED: waiting submissions at once, calls under way
/// within 50 ms. What has completed already keeps its outcome.
///
/// Returns MAILRU_OK, also if nothing bears the tag, or MAILRU_INVALID_HANDLE. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn mailru_queue_cancel(queue: mailru_queue, tag: u64) -> i32 {
    return_code(|| handles::queue(queue)?.cancel(tag))
}

/// A descriptor that is readable exactly while a completion waits, for epoll, libuv or asyncio:
/// level-triggered. It belongs to the queue, which closes it: the host neither reads nor closes it.
///
/// Returns the descriptor, the same each time, or -1 on failure: a handle that is no queue, no
/// descriptor left, or a system without descriptors (Windows), where a thread of the host's calls
/// mailru_queue_next with a wait instead. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn mailru_queue_fd(queue: mailru_queue) -> i32 {
    run(|| handles::queue(queue)?.descriptor()).unwrap_or(-1)
}

/// Frees a queue: its calls under way are cancelled, what is pending is not handed out any
/// more, and threads blocked in mailru_queue_next wake. Other calls of its sessions go on.
///
/// 0, a freed handle and a handle of another kind are ignored. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn mailru_queue_free(queue: mailru_queue) {
    return_code(|| {
        if let Some(Entry::Queue(queue)) = handles::remove(queue, |entry| matches!(entry, Entry::Queue(_))) {
            queue.free();
        }
        Ok(())
    });
}
