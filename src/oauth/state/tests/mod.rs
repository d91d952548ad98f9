//! Each test: given a session, when something happens, then this is decided.
#![forbid(unsafe_code)]

mod elsewhere;
mod failures;
mod questions;
mod rejected;
mod statuses;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::oauth::reply::{Expected, read};

/// A session and a clock that the test advances.
struct Given {
    state: TokenState,
    now: Now,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Has {
    Nothing,
    /// An access token that lives this many seconds, and a refresh token.
    Tokens(u64),
    /// The same without a known end.
    Lasting,
    /// Only an access token that lives this many seconds.
    Access(u64),
    /// Only a refresh token.
    Refresh,
}

fn later(now: Now, time: Duration) -> Now {
    Now { steady: now.steady + time, wall: now.wall + time }
}

fn code() -> Option<Grant> {
    Some(Grant::Code { code: Secret::new("code"), redirect_uri: "u".into() })
}

fn password() -> Option<Grant> {
    Some(Grant::Password { email: "e".into(), password: Secret::new("password"), scope: "s".into() })
}

fn refresh() -> Option<Grant> {
    Some(Grant::Refresh(Secret::new("own")))
}

fn given(grant: Option<Grant>, has: Has) -> Given {
    let now = Now { steady: Duration::from_secs(100), wall: Duration::from_secs(1_700_000_000) };
    let tokens = |access: &str, refresh: &str, seconds| {
        Some(Tokens::given(Secret::new(access), "7", Secret::new(refresh), seconds, now))
    };
    let tokens = match has {
        Has::Nothing => None,
        Has::Tokens(seconds) => tokens("a0", "r0", Some(seconds)),
        Has::Lasting => tokens("a0", "r0", None),
        Has::Access(seconds) => tokens("a0", "", Some(seconds)),
        Has::Refresh => tokens("", "r0", None),
    };
    let rules = Rules { grant, auto_refresh: true, first_pause: Duration::from_secs(2), shares_file: false };
    Given { state: TokenState::new(rules, tokens), now }
}

/// A reply of the authorization server.
type Reply = Result<Tokens, TokenError>;

impl Given {
    fn later(&self, milliseconds: u64) -> Now {
        later(self.now, Duration::from_millis(milliseconds))
    }

    fn pass(&mut self, seconds: f64) -> &mut Given {
        self.now = later(self.now, Duration::from_secs_f64(seconds));
        self
    }

    fn call(&mut self) -> String {
        let decision = self.state.for_call(self.now);
        shown(&decision)
    }

    fn authorize(&mut self) -> String {
        let decision = self.state.authorize(self.now);
        shown(&decision)
    }

    fn rejected_call(&self, names_a_user: bool) -> RejectedCall {
        RejectedCall {
            tokens: self.state.usable().expect("tokens").clone(),
            call: 4711,
            names_a_user,
            began: self.now,
            at: self.now,
        }
    }

    fn rejected(&mut self, call: &RejectedCall) -> String {
        let decision = self.state.rejected(call, self.now);
        shown(&decision)
    }

    fn answer(&self, status: u16, body: &str) -> Reply {
        let previous = self.state.latest().cloned().unwrap_or_default();
        let expected = Expected { previous: &previous, sent_refresh_token: None, needs_uid: true, secrets: &[] };
        read(status, body, &expected, self.now)
    }

    /// The request's first step.
    fn first(&mut self) -> String {
        let step = self.state.first_step(self.now);
        step_shown(&step)
    }

    /// The reply to a grant that was sent: the next step and, after delivery, the end of the request.
    fn replied(&mut self, asked: &str, reply: Reply) -> String {
        let grant = match asked {
            "code" => code().expect("a grant"),
            "password" => password().expect("a grant"),
            token => Grant::Refresh(Secret::new(token)),
        };
        let mut step = self.state.replied(&grant, reply, self.now);
        let mut delivery = String::new();
        if let Step::Deliver(tokens) = &step {
            let tokens = Arc::clone(tokens);
            delivery = format!("deliver {} {}, ", tokens.access_token.expose(), tokens.refresh_token.expose());
            step = self.state.delivered(&tokens, self.now);
        }
        if matches!(step, Step::End(_)) {
            self.state.end();
        }
        delivery + &step_shown(&step)
    }

    /// A complete request with each grant that is sent and its reply; returns how it ends.
    fn request(&mut self, replies: &[(&str, ScriptedReply)]) -> String {
        let mut step = self.first();
        for (asked, reply) in replies {
            assert_eq!(step, format!("send {asked}"));
            let reply = self.reply(reply);
            step = self.replied(asked, reply);
        }
        step
    }

    fn reply(&self, reply: &ScriptedReply) -> Reply {
        let failed = |sent| TokenError { sent, ..TokenError::unsent(Failure::new(Code::NetworkError, "reset")) };
        match reply {
            ScriptedReply::Tokens(number) => self.answer(200, &tokens(*number)),
            Answer(status, body) => self.answer(*status, body),
            RetryAfter(seconds) => self
                .answer(429, "{}")
                .map_err(|error| TokenError { retry_after: Some(Duration::from_secs(*seconds)), ..error }),
            Lost => Err(failed(true)),
            Unsent => Err(failed(false)),
        }
    }
}

#[derive(Clone, Copy)]
enum ScriptedReply {
    Tokens(u32),
    Answer(u16, &'static str),
    RetryAfter(u64),
    Lost,
    Unsent,
}
use ScriptedReply::{Answer, Lost, RetryAfter, Unsent};

const REFUSED: ScriptedReply = Answer(400, r#"{"error":"invalid_grant"}"#);
const BUSY: ScriptedReply = Answer(503, "");

fn tokens(number: u32) -> String {
    format!(r#"{{"access_token":"a{number}","refresh_token":"r{number}","expires_in":3600,"x_mailru_vid":"7"}}"#)
}

fn shown(decision: &Decision) -> String {
    match decision {
        Decision::Use(tokens) => format!("use {}", tokens.access_token.expose()),
        Decision::UseAndRenew(tokens) => format!("use {} and renew", tokens.access_token.expose()),
        Decision::Join => "join".into(),
        Decision::Begin => "begin".into(),
        Decision::Pause(length, _) => format!("pause {} ms", length.as_millis()),
        Decision::Keep => "keep".into(),
        Decision::Fail(failure) => failed(failure),
    }
}

fn step_shown(step: &Step) -> String {
    match step {
        Step::Send(Grant::Code { .. }, _) => "send code".into(),
        Step::Send(Grant::Password { .. }, _) => "send password".into(),
        Step::Send(Grant::Refresh(token), _) => format!("send {}", token.expose()),
        Step::Deliver(_) => "deliver".into(),
        Step::End(End::Abandoned) => "abandoned".into(),
        Step::End(End::With(Ok(tokens))) => format!("got {}", tokens.access_token.expose()),
        Step::End(End::With(Err(failure))) => failed(failure),
    }
}

/// The name of a failure, and whether it is transient.
fn failed(failure: &Failure) -> String {
    let json = failure.clone().into_json();
    let kind = if json.contains("\"transient\":true") { "transient" } else { "final" };
    format!("{:?} {kind}", failure.code())
}

#[test]
fn a_call_with_tokens_uses_them_as_long_as_they_last() {
    for (has, seconds, then) in [
        (Has::Lasting, 1e6, "use a0"),
        (Has::Tokens(3600), 0.0, "use a0"),
        (Has::Tokens(3600), 3539.0, "use a0"),
        (Has::Tokens(3600), 3541.0, "use a0 and renew"),
        (Has::Tokens(3600), 3600.0, "begin"),
        (Has::Tokens(2), 1.9, "use a0 and renew"),
        (Has::Tokens(0), 0.0, "begin"),
        // Without credentials for a renewal, the tokens are used until the platform rejects them.
        (Has::Access(3600), 3599.0, "use a0"),
        (Has::Access(3600), 4000.0, "use a0"),
        (Has::Refresh, 0.0, "begin"),
    ] {
        assert_eq!(given(None, has).pass(seconds).call(), then, "{has:?} after {seconds} s");
    }
    for grant in [code(), password(), refresh()] {
        assert_eq!(given(grant, Has::Nothing).call(), "begin");
    }
    // A password allows a renewal.
    assert_eq!(given(password(), Has::Access(3600)).pass(3599.0).call(), "use a0 and renew");
    assert_eq!(given(password(), Has::Access(3600)).pass(3600.0).call(), "begin");
    // Without auto_refresh the host renews, except for the first tokens.
    for (grant, has, then) in
        [(None, Has::Tokens(1), "use a0"), (password(), Has::Access(1), "use a0"), (refresh(), Has::Nothing, "begin")]
    {
        let mut it = given(grant, has);
        it.state.rules.auto_refresh = false;
        assert_eq!(it.pass(5.0).call(), then);
    }
}

#[test]
fn calls_during_a_request_share_it() {
    let mut it = given(None, Has::Tokens(3600));
    assert_eq!(it.pass(3550.0).call(), "use a0 and renew");
    assert_eq!(it.call(), "use a0", "during the request");
    assert_eq!(it.pass(60.0).call(), "join", "now they have expired");
    assert_eq!(it.authorize(), "join");
    assert_eq!(it.request(&[("r0", ScriptedReply::Tokens(1))]), "deliver a1 r1, got a1");
    assert_eq!(it.call(), "use a1");
    assert_eq!(it.authorize(), "begin");
}

#[test]
fn tokens_are_shown_before_and_used_after_delivery() {
    let mut it = given(password(), Has::Nothing);
    assert_eq!(it.call(), "begin");
    assert_eq!(it.first(), "send password");
    let reply = it.reply(&ScriptedReply::Tokens(1));
    let step = it.state.replied(&password().expect("a grant"), reply, it.now);
    let Step::Deliver(delivered) = step else { panic!("{step:?}") };
    assert_eq!(it.state.latest().map(|tokens| tokens.access_token.expose()), Some("a1"));
    assert!(
        it.state.usable().is_none()
            && it.state.request.as_ref().is_some_and(|request| request.phase == Phase::Delivering)
    );
    assert_eq!(it.call(), "join");
    assert_eq!(step_shown(&it.state.delivered(&delivered, it.now)), "got a1");
    assert_eq!(it.call(), "use a1");
}
