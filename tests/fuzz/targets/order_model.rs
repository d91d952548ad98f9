//! What the target `order` knows of the handles, and which codes may come back.

use std::ffi::CString;
use std::sync::Arc;

use super::host::{CANCELLED, c};
use super::order::Registered;

/// The fuzzer's bytes; 0 when they are used up.
pub struct Bytes<'a>(pub std::slice::Iter<'a, u8>);

impl Bytes<'_> {
    pub fn next(&mut self) -> Option<u8> {
        self.0.next().copied()
    }

    pub fn below(&mut self, end: u8) -> u8 {
        self.next().unwrap_or(0) % end
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// With a token.
    Client,
    /// With a refresh token, so that it gets its token by a request.
    Refresh,
    Public,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    Good,
    Refused,
    /// The server closes the connection.
    Cut,
    /// The server does not answer.
    Hang,
    Upload,
    Page,
    Authorize,
}

impl Method {
    pub const ALL: [Method; 7] =
        [Method::Good, Method::Refused, Method::Page, Method::Cut, Method::Authorize, Method::Upload, Method::Hang];

    pub fn name(self) -> &'static std::ffi::CStr {
        match self {
            Method::Refused => c"refused.x",
            Method::Cut => c"cut.x",
            Method::Hang => c"hang.x",
            _ => c"good.x",
        }
    }

    /// How a call ends that nobody cancels.
    pub fn codes(self) -> &'static [i32] {
        match self {
            Method::Refused => &[10],
            Method::Cut => &[20],
            Method::Hang => &[21],
            _ => &[0],
        }
    }

    pub fn request(self) -> CString {
        let name = self.name().to_str().unwrap_or_default();
        let json = match self {
            Method::Page => "{\"public\":\"mail/x\"}".to_owned(),
            Method::Authorize => "{\"authorize\":true}".to_owned(),
            Method::Upload => format!("{{\"method\":\"{name}\",\"file\":{{\"field\":\"f\",\"name\":\"n\"}}}}"),
            Method::Hang => format!("{{\"method\":\"{name}\",\"timeout_ms\":30}}"),
            _ => format!("{{\"method\":\"{name}\"}}"),
        };
        c(json).expect("no NUL")
    }
}

pub struct Session {
    pub kind: Kind,
    /// The token, where it is known.
    pub token: Option<String>,
}

#[derive(Debug)]
pub struct Queue {
    pub capacity: usize,
    /// Accepted and not handed out.
    pub pending: Vec<Pending>,
}

#[derive(Debug)]
pub struct Pending {
    pub tag: u64,
    pub session: usize,
    pub cancel: Option<usize>,
    pub method: Method,
    pub is_cancelled: bool,
}

impl Pending {
    pub fn may_end_with(&self, code: i32) -> bool {
        self.method.codes().contains(&code) || self.is_cancelled && code == CANCELLED
    }
}

#[derive(Default)]
pub struct World {
    pub sessions: [Option<Session>; 3],
    pub session_handles: [u64; 3],
    pub queues: [Option<Queue>; 2],
    pub queue_handles: [u64; 2],
    /// Whether each was fired.
    pub cancels: [Option<bool>; 2],
    pub cancel_handles: [u64; 2],
    pub registered: Vec<Arc<Registered>>,
}

impl World {
    pub fn session(&self, bytes: &mut Bytes<'_>) -> usize {
        usize::from(bytes.below(3))
    }

    pub fn queue(&self, bytes: &mut Bytes<'_>) -> usize {
        usize::from(bytes.below(2))
    }

    /// Mostly none.
    pub fn cancel(&self, bytes: &mut Bytes<'_>) -> Option<usize> {
        let slot = usize::from(bytes.below(6));
        (slot < 2 && self.cancel_handles[slot] != 0).then_some(slot)
    }

    pub fn handle(&self, slot: usize) -> u64 {
        self.session_handles[slot]
    }

    pub fn cancel_handle(&self, slot: Option<usize>) -> u64 {
        slot.map_or(0, |slot| self.cancel_handles[slot])
    }

    pub fn lives(&self, slot: usize) -> bool {
        self.sessions[slot].is_some()
    }

    pub fn kind(&self, slot: usize) -> Option<Kind> {
        self.sessions[slot].as_ref().map(|session| session.kind)
    }

    /// Whether a cancel handle was fired; `None` if it was freed.
    pub fn is_fired(&self, slot: Option<usize>) -> Option<bool> {
        slot.map_or(Some(false), |slot| self.cancels[slot])
    }

    /// Notes that these may end as cancelled.
    pub fn cancel_pending(&mut self, which: impl Fn(&Pending) -> bool) {
        let all = self.queues.iter_mut().flatten().flat_map(|queue| &mut queue.pending);
        all.filter(|pending| which(pending)).for_each(|pending| pending.is_cancelled = true);
    }

    /// Those that use a cancel handle which is freed: nobody can fire it.
    pub fn rename_cancel(&mut self, slot: usize) {
        let all = self.queues.iter_mut().flatten().flat_map(|queue| &mut queue.pending);
        all.filter(|pending| pending.cancel == Some(slot)).for_each(|pending| pending.cancel = None);
    }
}
