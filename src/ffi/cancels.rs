//! Cancel handles: what ends one call, or some, and leaves the session's others alone.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::handles::{self, Entry};
use super::{mailru_cancel, return_code, write_out};
use crate::call::{CallGroup, Progress};

/// A cancel handle for mailru_call_within, mailru_request and mailru_queue_request. It may serve many calls and threads.
///
/// Returns a handle to be released with mailru_cancel_free; 0 only if something is very wrong. Does
/// not block.
#[unsafe(no_mangle)]
pub extern "C" fn mailru_cancel_new() -> mailru_cancel {
    let mut cancel = 0;
    return_code(|| {
        cancel = handles::insert(Entry::Cancel(Arc::new(CallGroup::default())))?;
        Ok(())
    });
    cancel
}

/// Ends the calls that hold this cancel handle within 50 ms, in whatever phase, as MAILRU_CANCELLED,
/// and later ones at once: a handle that was fired stays fired.
///
/// Returns MAILRU_OK or MAILRU_INVALID_HANDLE. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn mailru_cancel_fire(cancel: mailru_cancel) -> i32 {
    return_code(|| {
        handles::cancel(cancel)?.end();
        Ok(())
    })
}

/// How much of the request bodies of all requests that hold this cancel handle was sent: for a
/// progress bar, with a cancel handle for each upload.
///
/// sent: receives the bytes that were handed to the connection; may be NULL.
/// total: receives the bytes that there are to send, form fields and boundaries included; 0 before
/// the first attempt begins. It may be NULL. A repeated attempt begins anew.
/// Returns MAILRU_OK or MAILRU_INVALID_HANDLE; then both are 0. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_cancel_progress(cancel: mailru_cancel, sent: *mut u64, total: *mut u64) -> i32 {
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe {
        write_out(sent, 0);
        write_out(total, 0);
    }
    return_code(|| {
        let group = handles::cancel(cancel)?;
        let Progress { sent: sent_now, total: total_now } = group.progress();
        // SAFETY: as above.
        unsafe {
            write_out(sent, sent_now.load(Ordering::Relaxed));
            write_out(total, total_now.load(Ordering::Relaxed));
        }
        Ok(())
    })
}

/// Frees a cancel handle. Calls that hold it go on. 0, a freed handle and a handle of another
/// kind are ignored. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn mailru_cancel_free(cancel: mailru_cancel) {
    return_code(|| {
        drop(handles::remove(cancel, |entry| matches!(entry, Entry::Cancel(_))));
        Ok(())
    });
}
