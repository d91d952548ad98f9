//! Cancel handles: what ends one call, or some, and leaves the session's others alone.

use std::sync::Arc;

use super::handles::{self, Entry};
use super::{mailru_cancel, return_code};
use crate::call::CallGroup;

/// A cancel handle for mailru_call_within. It may serve many calls and threads.
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

/// Lets go of a cancel handle. Calls that hold it go on. 0, a freed handle and a handle of another
/// kind are ignored. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn mailru_cancel_free(cancel: mailru_cancel) {
    return_code(|| {
        drop(handles::remove(cancel, |entry| matches!(entry, Entry::Cancel(_))));
        Ok(())
    });
}
