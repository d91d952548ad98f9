//! The log: an event a line, as `name=value` pairs, and never a secret.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::error::Failure;
use crate::fork::ForkMutex;
use crate::panics;

/// How much a line matters; a lower number matters more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    /// Something was lost or refused, and will not be tried again.
    Error = 1,
    /// A request failed; it may be repeated.
    Warning = 2,
    /// What a day's log should show: renewals.
    Info = 3,
    /// Every request.
    Debug = 4,
}

/// Where lines go.
pub type Sink = Arc<dyn Fn(Level, &str) + Send + Sync>;

/// The longest value that is told whole; servers decide how long some are.
const LONGEST_VALUE: usize = 1000;

thread_local! {
    /// Where on the stack of this thread the sink runs; 0 if it does not. What it does itself by way of the library is
    /// not told to it, or it would never end.
    static TELLING: Cell<usize> = const { Cell::new(0) };
}

/// The sink's level once more, to find out without a lock that nobody reads a line.
static MOST: AtomicI32 = AtomicI32::new(0);
/// The sink, and up to which level it is told: they change together.
static SINK: ForkMutex<Option<(Sink, i32)>> = ForkMutex::new(None);

/// Sends lines up to this level to the sink, or with `None` nowhere, from now on.
pub fn set(sink: Option<Sink>, most: i32) {
    let former = SINK.with(|slot| {
        MOST.store(if sink.is_some() { most } else { 0 }, Ordering::Relaxed);
        std::mem::replace(slot, sink.map(|sink| (sink, most)))
    });
    drop(former);
}

/// Says that the sink runs from here on the stack, which grows downwards.
pub fn sink_runs_from(place: usize) {
    TELLING.with(|telling| telling.set(place));
}

/// Notes that the host comes in at this place on the stack. If that is above the sink, the host left the sink by a jump,
/// and lines are told again.
pub fn entered(place: usize) {
    TELLING.with(|telling| {
        if telling.get() != 0 && place > telling.get() {
            telling.set(0);
        }
    });
}

/// Tells of an event, if anybody reads it.
pub fn event(level: Level, line: impl FnOnce() -> Line) {
    if level as i32 > MOST.load(Ordering::Relaxed) || TELLING.with(Cell::get) != 0 {
        return;
    }
    let sink = SINK.with(|slot| slot.as_ref().filter(|(_, most)| level as i32 <= *most).map(|(sink, _)| sink.clone()));
    let Some(sink) = sink else { return };
    TELLING.with(|telling| telling.set(usize::MAX));
    // A bug in a line is no reason to lose the answer that it tells of.
    let _ = panics::catch(|| {
        sink(level, &line().0);
        Ok(())
    });
    TELLING.with(|telling| telling.set(0));
}

/// One event: `event=name`, and what is known of it.
pub struct Line(String);

impl Line {
    /// An event of this name.
    pub fn new(event: &str) -> Line {
        Line(format!("event={event}"))
    }

    /// Adds a value. Whatever could be taken for something else is escaped within quotation marks, as in JSON.
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Line {
        let value = value.to_string();
        let _ = write!(self.0, " {name}=");
        let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.:/".contains(character);
        if !value.is_empty() && value.len() <= LONGEST_VALUE && value.chars().all(is_plain) {
            self.0.push_str(&value);
        } else {
            quote(&mut self.0, &value);
        }
        self
    }

    /// Adds what a failure tells: its code and its text, or the platform's.
    pub fn with_failure(self, failure: &Failure) -> Line {
        let code = failure.code().c_name().to_str().unwrap_or_default();
        self.with("code", code).with("message", failure.message())
    }
}

fn quote(line: &mut String, value: &str) {
    line.push('"');
    for (at, character) in value.char_indices() {
        if at >= LONGEST_VALUE {
            line.push('…');
            break;
        }
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            // Line ends and directions that some terminals follow, too.
            '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => escape(line, character),
            _ if character.is_control() => escape(line, character),
            _ => line.push(character),
        }
    }
    line.push('"');
}

fn escape(line: &mut String, character: char) {
    let _ = write!(line, "\\u{:04x}", u32::from(character));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn values_cannot_be_taken_for_something_else() {
        for (value, told) in [
            ("friends.get", "friends.get"),
            ("mail/nick", "mail/nick"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("a=b", "\"a=b\""),
            ("x\nevent=answer status=200", r#""x\nevent=answer status=200""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("a\0b\u{1b}[31m", r#""a\u0000b\u001b[31m""#),
            ("\u{202e}x\u{9b}\u{2028}", r#""\u202ex\u009b\u2028""#),
            ("привет", "\"привет\""),
        ] {
            assert_eq!(Line::new("test").with("v", value).0, format!("event=test v={told}"));
        }
        let long = Line::new("test").with("v", "я".repeat(LONGEST_VALUE)).0;
        assert!(long.ends_with("…\"") && long.len() < LONGEST_VALUE + 50, "{}", long.len());
        let failure = Failure::new(Code::Timeout, "too late");
        assert_eq!(
            Line::new("failure").with("call", 7).with_failure(&failure).0,
            "event=failure call=7 code=MAILRU_TIMEOUT message=\"too late\""
        );
    }
}
