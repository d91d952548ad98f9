//! The log: one event a line, as `name=value` pairs, never with a secret.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::error::Failure;
use crate::fork::{ForkMutex, OfThisProcess};
use crate::host_thread::{self, HostThread};
use crate::panics;

/// The level of a line; a lower number is more important.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    /// Something was lost or refused, and is not retried.
    Error = 1,
    /// A request failed; it may be retried.
    Warning = 2,
    /// Rare events, such as renewals.
    Info = 3,
    /// Every request.
    Debug = 4,
}

/// Where lines go.
pub type Sink = Arc<dyn Fn(Level, &str) + Send + Sync>;

/// Longer values are cut: servers decide how long some are.
const LONGEST_VALUE: usize = 1000;

thread_local! {
    /// The stack position at which the sink runs on this thread; 0 if it does not run. Events caused by the sink itself
    /// are not logged, because that would recurse forever.
    static SINK_POSITION: Cell<usize> = const { Cell::new(0) };
}

/// A copy of the sink's level, to skip unwanted lines without taking the lock.
static MAX_LEVEL: AtomicI32 = AtomicI32::new(0);
static LOG: ForkMutex<Option<Log>> = ForkMutex::new(None);

/// The sink, its level and its thread, which change together.
struct Log {
    sink: Sink,
    level: i32,
    on_thread: Option<OnThread>,
}

/// The thread of the host on which alone the sink runs, and the lines that wait for it.
struct OnThread {
    thread: HostThread,
    /// Those of a parent process are its own.
    kept: OfThisProcess<Kept>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<(Level, Line)>,
    dropped: u64,
    /// Whether the thread was told of the lines.
    told: bool,
}

/// So many lines are kept for a thread of the host.
const KEPT: usize = 1000;

/// Sends lines up to this level to the sink from now on, only on this thread if one is given; `None` ends logging.
pub fn set(sink: Option<Sink>, level: i32, thread: Option<HostThread>) {
    let previous = LOG.with(|slot| {
        MAX_LEVEL.store(if sink.is_some() { level } else { 0 }, Ordering::Relaxed);
        let on_thread = thread.map(|thread| OnThread { thread, kept: OfThisProcess::default() });
        std::mem::replace(slot, sink.map(|sink| Log { sink, level, on_thread }))
    });
    drop(previous);
}

/// Notes that the sink runs from this stack position; the stack grows downwards.
pub fn sink_runs_from(position: usize) {
    SINK_POSITION.with(|sink_position| sink_position.set(position));
}

/// Notes that the host calls the library at this stack position. If that is above the sink's, the host left the sink by
/// `longjmp`, and logging continues.
pub fn entered(position: usize) {
    SINK_POSITION.with(|sink_position| {
        if sink_position.get() != 0 && position > sink_position.get() {
            sink_position.set(0);
        }
    });
}

/// Logs an event, if the level is enabled.
pub fn event(level: Level, line: impl FnOnce() -> Line) {
    if level as i32 > MAX_LEVEL.load(Ordering::Relaxed) || SINK_POSITION.with(Cell::get) != 0 {
        return;
    }
    let wanted = LOG.with(|slot| {
        let log = slot.as_ref().filter(|log| level as i32 <= log.level)?;
        Some((log.sink.clone(), log.on_thread.as_ref().map(|on_thread| on_thread.thread.clone())))
    });
    let Some((sink, thread)) = wanted else { return };
    let Some(thread) = thread else { return run(&sink, level, line) };
    let Ok(line) = panics::catch(|| Ok(line())) else { return };
    let was_told = with_kept(|kept| {
        kept.keep(level, line);
        std::mem::replace(&mut kept.told, true)
    });
    if thread.is_current() {
        give_out();
    } else if was_told == Some(false) {
        let _ = thread.post(give_out);
    }
}

fn with_kept<T>(section: impl FnOnce(&mut Kept) -> T) -> Option<T> {
    LOG.with(|slot| slot.as_mut()?.on_thread.as_mut().map(|on_thread| section(on_thread.kept.get_or_renew())))
}

/// Gives the kept lines to the sink, if this is its thread.
fn give_out() {
    if SINK_POSITION.with(Cell::get) != 0 {
        with_kept(|kept| kept.told = false);
        return;
    }
    let next = || {
        LOG.with(|slot| {
            let Log { sink, level: most, on_thread } = slot.as_mut()?;
            let on_thread = on_thread.as_mut().filter(|on_thread| on_thread.thread.is_current())?;
            let (level, line) = on_thread.kept.get_or_renew().take(*most)?;
            Some((sink.clone(), level, line))
        })
    };
    while let Some((sink, level, line)) = next() {
        host_thread::in_callback(|| run(&sink, level, || line));
    }
}

/// Gives a line to the sink.
fn run(sink: &Sink, level: Level, line: impl FnOnce() -> Line) {
    SINK_POSITION.with(|sink_position| sink_position.set(usize::MAX));
    // A bug in logging must not lose the call's answer.
    let _ = panics::catch(|| {
        sink(level, &line().0);
        Ok(())
    });
    SINK_POSITION.with(|sink_position| sink_position.set(0));
}

impl Kept {
    fn keep(&mut self, level: Level, line: Line) {
        if self.lines.len() >= KEPT {
            self.lines.pop_front();
            self.dropped += 1;
        }
        self.lines.push_back((level, line));
    }

    /// The next line: first one that tells of those that were dropped before the others.
    fn take(&mut self, most: i32) -> Option<(Level, Line)> {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 && Level::Warning as i32 <= most {
            return Some((Level::Warning, Line::new("dropped_lines").with("lines", dropped)));
        }
        let line = self.lines.pop_front();
        self.told = line.is_some();
        line
    }
}

/// One event: `event=name` and its values.
pub struct Line(String);

impl Line {
    /// An event of this name.
    pub fn new(event: &str) -> Line {
        Line(format!("event={event}"))
    }

    /// Adds a value. An ambiguous one is quoted and escaped as in JSON.
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

    /// Adds a failure's code and message.
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
            // Unicode line ends and direction marks too: some terminals obey them.
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
    fn values_are_unambiguous() {
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

    #[test]
    fn the_oldest_lines_are_dropped_and_counted() {
        let mut kept = Kept::default();
        let keep = |kept: &mut Kept, lines| {
            for number in 0..lines {
                kept.keep(Level::Debug, Line::new("test").with("n", number));
            }
        };
        keep(&mut kept, KEPT + 3);
        let mut texts = std::iter::from_fn(|| kept.take(4)).map(|(level, line)| (level as i32, line.0));
        assert_eq!(texts.next(), Some((2, "event=dropped_lines lines=3".to_owned())));
        assert_eq!(texts.next(), Some((4, "event=test n=3".to_owned())));
        assert_eq!(texts.count(), KEPT - 1);
        keep(&mut kept, KEPT + 1);
        assert_eq!(kept.take(1).map(|(_, line)| line.0), Some("event=test n=1".to_owned()), "no warnings are wanted");
    }
}
