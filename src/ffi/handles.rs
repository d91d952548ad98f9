//! Handles: numbers that are looked up in a table, so that using a wrong one is harmless.
//!
//! A handle is a serial number, never used again, followed by random bits. The random bits make it
//! unlikely that a wrong number (a loop counter, another library's handle) is a valid handle.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::call::CallGroup;
use crate::error::{Code, Failure, Outcome};
use crate::fork::ForkMutex;
use crate::queue::Queue;
use crate::session::Session;

/// A session: a number, 0 is none.
#[allow(non_camel_case_types)]
pub type mailru_session = u64;

/// A queue of calls: a number, 0 is none.
#[allow(non_camel_case_types)]
pub type mailru_queue = u64;

/// A cancel handle: a number, 0 is none.
#[allow(non_camel_case_types)]
pub type mailru_cancel = u64;

/// The number of random bits.
const RANDOM_BITS: u32 = 20;
/// JavaScript's numbers are exact up to here.
const LIMIT: u64 = 1 << 53;

/// The kinds of objects that have handles.
#[derive(Clone)]
pub enum Entry {
    Session(Arc<Session>),
    Cancel(Arc<CallGroup>),
    Queue(Arc<Queue>),
}

struct Table {
    entries: Option<HashMap<u64, Entry>>,
    last: u64,
}

static TABLE: ForkMutex<Table> = ForkMutex::new(Table { entries: None, last: 0 });

/// Makes a new handle.
pub fn insert(entry: Entry) -> Outcome<u64> {
    let random = RandomState::new().hash_one(0) >> (u64::BITS - RANDOM_BITS);
    TABLE.with(|table| {
        let number = (table.last + 1) << RANDOM_BITS | random;
        if number >= LIMIT {
            return Err(Failure::new(Code::InternalError, "this process has used all handle numbers; restart it"));
        }
        table.last += 1;
        if let Entry::Session(session) = &entry {
            session.set_number(number);
        }
        table.entries.get_or_insert_default().insert(number, entry);
        Ok(number)
    })
}

/// The session behind a handle.
pub fn session(number: u64) -> Outcome<Arc<Session>> {
    match find(number) {
        Some(Entry::Session(session)) => Ok(session),
        _ => Err(invalid("session")),
    }
}

/// The cancel handle behind a number.
pub fn cancel(number: u64) -> Outcome<Arc<CallGroup>> {
    match find(number) {
        Some(Entry::Cancel(group)) => Ok(group),
        _ => Err(invalid("cancel")),
    }
}

/// The cancel handle behind a number; 0 means none.
pub fn optional_cancel(number: u64) -> Outcome<Option<Arc<CallGroup>>> {
    if number == 0 { Ok(None) } else { cancel(number).map(Some) }
}

/// The queue behind a handle.
pub fn queue(number: u64) -> Outcome<Arc<Queue>> {
    match find(number) {
        Some(Entry::Queue(queue)) => Ok(queue),
        _ => Err(invalid("queue")),
    }
}

/// Removes a handle if its entry satisfies `is_kind`.
pub fn remove(number: u64, is_kind: impl FnOnce(&Entry) -> bool) -> Option<Entry> {
    TABLE.with(|table| {
        let entries = table.entries.as_mut()?;
        entries.get(&number).filter(|entry| is_kind(entry))?;
        entries.remove(&number)
    })
}

fn find(number: u64) -> Option<Entry> {
    TABLE.with(|table| table.entries.as_ref()?.get(&number).cloned())
}

fn invalid(argument: &str) -> Failure {
    let message = format!("{argument}: invalid or freed {argument} handle; use one that its constructor returned");
    Failure::new(Code::InvalidHandle, message).for_argument(argument)
}
