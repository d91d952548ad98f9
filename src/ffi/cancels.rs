//! Cancel handles: end some calls of a session without affecting the others.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::handles::{self, Entry};
use super::{mailru_cancel, return_code, write_out};
use crate::call::{CallGroup, Progress};

/// Makes a cancel handle for mailru_call_within, mailru_request and mailru_queue_request. Any number of
/// calls and threads may use it.
///
/// Returns a handle to be released with mailru_cancel_free; 0 only after a bug in this library. Does
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

/// Ends the calls that use this cancel handle, in any phase, within 50 ms, as MAILRU_CANCELLED. Later
/// calls with it end at once: a fired handle cannot be reset.
///
/// Returns MAILRU_OK or MAILRU_INVALID_HANDLE. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn mailru_cancel_fire(cancel: mailru_cancel) -> i32 {
    return_code(|| {
        handles::cancel(cancel)?.end();
        Ok(())
    })
}

/// Tells how much was sent of the bodies of all requests that use this cancel handle: for a progress
/// bar, with one cancel handle for each upload.
///
/// sent: receives the number of bytes written to the connection; may be NULL.
/// total: receives the number of bytes to send, with form fields and boundaries; 0 before the first
/// attempt begins. It may be NULL. A retry counts from 0 again.
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

/// Frees a cancel handle. Calls that use it continue. 0, a freed handle and a handle of another kind
/// are ignored. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn mailru_cancel_free(cancel: mailru_cancel) {
    return_code(|| {
        drop(handles::remove(cancel, |entry| matches!(entry, Entry::Cancel(_))));
        Ok(())
    });
}
