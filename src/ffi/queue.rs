//! The queue: submissions, completions, and a descriptor to wait on.

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

/// Makes a queue: many calls in flight for a host with few threads, such as one with an event loop.
///
/// workers: the maximum number of calls in flight at once, at most 65536; 0 for 64. It is not a number
/// of threads: on Linux a queue has one thread, on other systems at most 64. A thread is started by the
/// first submission and ends after some seconds without work.
/// capacity: the maximum number of submissions not yet handed out; 0 for 1024, or twice workers if that
/// is more. Sessions take turns: one with many submissions does not delay others.
/// error: receives NULL, or on failure the error's JSON, to be released with mailru_string_free. It
/// may be NULL.
/// Returns a handle to be released with mailru_queue_free, or 0 on failure. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_queue_new(workers: u32, capacity: u32, error: *mut *mut c_char) -> mailru_queue {
    // SAFETY: the header makes the pointer the caller's promise.
    unsafe { return_handle(error, || handles::insert(Entry::Queue(Arc::new(Queue::new(workers, capacity)?)))) }
}

/// Submits a call to a queue and returns at once.
///
/// queue: the queue; any number of threads and sessions may share it.
/// session, method, params_json: as for mailru_call, with the same checks.
/// tag: returned with the completion, to identify it; not interpreted by the library.
/// error: receives NULL, or the error's JSON if the submission was refused, to be released with
/// mailru_string_free. It may be NULL.
/// Returns MAILRU_OK if the submission was accepted: its completion is then handed out exactly once,
/// unless the queue is freed first. Its time limit begins when the call comes into flight.
/// mailru_session_cancel and mailru_session_free complete the session's submissions as
/// MAILRU_CANCELLED.
/// Codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT, MAILRU_INVALID_HANDLE, MAILRU_SIGNATURE_UNDEFINED,
/// MAILRU_QUEUE_FULL, MAILRU_CANCELLED (the session was freed meanwhile), MAILRU_OUT_OF_MEMORY (no
/// thread could be started, or no memory is left).
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

/// Submits any request to a queue and returns at once, also uploads, public pages and authorization.
///
/// queue, tag, error, the result and the codes: as for mailru_queue_submit.
/// session, request_json, cancel: as for mailru_request, with the same checks. A timeout_ms in
/// request_json begins with the submission.
/// A cancel handle that was fired refuses the submission as MAILRU_CANCELLED.
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
/// timeout_ms: how long to wait, in milliseconds; 0 does not wait, -1 waits until there is one, even
/// while nothing is pending.
/// tag: receives the submission's tag, or 0; may be NULL.
/// code: receives the call's code, or the reason why there is no completion; may be NULL.
/// Returns the call's result as from mailru_call, to be released with mailru_string_free; NULL with
/// MAILRU_QUEUE_EMPTY. If the queue was or is freed, the error's JSON with MAILRU_INVALID_HANDLE.
/// Another negative timeout_ms is MAILRU_INVALID_ARGUMENT.
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

/// Completes the submissions with this tag as MAILRU_CANCELLED: waiting ones at once, running calls
/// within 50 ms. Completed ones keep their outcome.
///
/// Returns MAILRU_OK, also if no submission has the tag, or MAILRU_INVALID_HANDLE. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn mailru_queue_cancel(queue: mailru_queue, tag: u64) -> i32 {
    return_code(|| handles::queue(queue)?.cancel(tag))
}

/// A level-triggered descriptor for epoll, libuv or asyncio, readable while a completion waits. It
/// belongs to the queue, which closes it: the host must neither read nor close it.
///
/// Returns the descriptor, the same each time, or -1 on failure: an invalid handle, no free descriptor,
/// or a system without descriptors (Windows), where a thread of the host calls mailru_queue_next with a
/// wait instead. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn mailru_queue_fd(queue: mailru_queue) -> i32 {
    run(|| handles::queue(queue)?.descriptor()).unwrap_or(-1)
}

/// Frees a queue: cancels its running calls, discards its submissions and completions, and wakes
/// threads blocked in mailru_queue_next. Other calls of its sessions continue.
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
