//! Failures: the codes, and the JSON object in which a failure reaches the host.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

macro_rules! codes {
    ($($variant:ident = $number:literal, $name:literal, $meaning:literal;)*) => {
        /// The outcome of a call. The number and the name of each code are part of the C interface.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(i32)]
        pub enum Code {
            $(#[doc = $meaning] $variant = $number,)*
        }

        impl Code {
            /// Every code, in the order of the numbers.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            /// The name of the constant in the header, NUL-terminated for C.
            pub fn c_name(self) -> &'static std::ffi::CStr {
                const fn terminated(name: &'static str) -> &'static std::ffi::CStr {
                    match std::ffi::CStr::from_bytes_with_nul(name.as_bytes()) {
                        Ok(name) => name,
                        Err(_) => panic!("a code's name contains NUL"),
                    }
                }
                match self {
                    $(Code::$variant => const { terminated(concat!($name, "\0")) },)*
                }
            }
        }
    };
}
include!("codes.in");

impl Code {
    /// The code's number in the C interface.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// Whether it is the failure of a request, which carries the member `sent`.
    fn is_of_request(self) -> bool {
        matches!(self.number(), 12..=15 | 20..=24)
    }

    /// The code with this number, if there is one.
    pub fn from_number(number: i32) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.number() == number)
    }
}

/// The outcome of the core's fallible functions.
pub type Outcome<T> = Result<T, Failure>;

/// Why a call failed.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The platform's error object, in the platform's own bytes.
    Platform(String),
    /// Every other failure, with a message written by this library.
    Local(Box<Problem>),
}

/// A failure that is not the platform's own error object.
///
/// None of its fields may contain a secret: hosts log and display them.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    message: String,
    transient: bool,
    argument: Option<String>,
    field: Option<&'static str>,
    http_status: Option<u16>,
    retry_after: Option<Duration>,
    sent: Option<bool>,
    /// The authorization server's answer, which is JSON.
    oauth: Option<String>,
    /// The platform's answer, which is JSON.
    platform: Option<String>,
}

impl Failure {
    /// A failure with its code and a sentence that says what was wrong and what would be right.
    pub fn new(code: Code, message: impl Into<String>) -> Failure {
        Failure::Local(Box::new(Problem {
            code,
            message: message.into(),
            transient: matches!(
                code,
                Code::NetworkError | Code::Timeout | Code::Cancelled | Code::OutOfMemory | Code::QueueFull
            ),
            argument: None,
            field: None,
            http_status: None,
            retry_after: None,
            sent: None,
            oauth: None,
            platform: None,
        }))
    }

    /// There is no memory for a large buffer; the host may have freed some later.
    pub fn out_of_memory(what: &str) -> Failure {
        let message = format!("there is not enough memory for {what}");
        Failure::new(Code::OutOfMemory, message).transient(true)
    }

    /// A bad argument, option or parameter: its name, and what is wrong with it.
    pub fn argument(name: &str, problem: impl std::fmt::Display) -> Failure {
        Failure::new(Code::InvalidArgument, format!("{name}: {problem}")).for_argument(name)
    }

    /// Names the argument that the failure is about.
    pub fn for_argument(self, name: &str) -> Failure {
        self.with(|it| it.argument = Some(name.to_owned()))
    }

    /// Marks whether the same call may succeed later.
    pub fn transient(self, transient: bool) -> Failure {
        self.with(|it| it.transient = transient)
    }

    /// Names the field that an answer lacks.
    pub fn field(self, name: &'static str) -> Failure {
        self.with(|it| it.field = Some(name))
    }

    /// Adds the HTTP status of the answer.
    pub fn status(self, status: u16) -> Failure {
        self.with(|it| it.http_status = Some(status))
    }

    /// Adds after what time to retry, if the server said so.
    pub fn retry_after(self, wait: Option<Duration>) -> Failure {
        self.with(|it| it.retry_after = wait)
    }

    /// Notes whether a byte of the request may have reached a server. A failure without this note means that none was
    /// sent.
    pub fn sent(self, sent: bool) -> Failure {
        self.with(|it| it.sent = Some(sent))
    }

    /// As [`Self::sent`], unless it was noted before.
    pub fn sent_unless_known(self, sent: bool) -> Failure {
        self.with(|it| {
            it.sent.get_or_insert(sent);
        })
    }

    /// Adds the authorization server's own answer, if it is JSON.
    pub fn oauth(self, body: &str) -> Failure {
        let body = serde_json::from_str::<&RawValue>(body).ok().map(|body| body.get().to_owned());
        self.with(|it| it.oauth = body)
    }

    /// Adds the platform's own answer, which was checked to be JSON.
    pub fn platform(self, body: String) -> Failure {
        self.with(|it| it.platform = Some(body))
    }

    /// Adds a sentence to the message.
    pub fn because(self, more: &str) -> Failure {
        self.with(|it| {
            let _ = write!(it.message, " {more}");
        })
    }

    fn with(mut self, change: impl FnOnce(&mut Problem)) -> Failure {
        if let Failure::Local(problem) = &mut self {
            change(problem);
        }
        self
    }

    /// The code that the host gets.
    pub fn code(&self) -> Code {
        match self {
            Failure::Platform(_) => Code::ApiError,
            Failure::Local(problem) => problem.code,
        }
    }

    /// The message for the log; a platform error's own message is the platform's text.
    pub fn message(&self) -> &str {
        match self {
            Failure::Platform(body) => body,
            Failure::Local(problem) => &problem.message,
        }
    }

    /// The failure's JSON: `{"error":{"error_code":…,"error_msg":…,…}}`.
    pub fn into_json(self) -> String {
        let problem = match self {
            Failure::Platform(body) => return body,
            Failure::Local(problem) => *problem,
        };
        let mut error = Map::new();
        error.insert("error_code".into(), (-problem.code.number()).into());
        error.insert("error_msg".into(), problem.message.into());
        error.insert("transient".into(), problem.transient.into());
        let texts = [("argument", problem.argument), ("field", problem.field.map(str::to_owned))];
        for (name, text) in texts {
            if let Some(text) = text {
                error.insert(name.into(), text.into());
            }
        }
        if let Some(status) = problem.http_status {
            error.insert("http_status".into(), status.into());
        }
        if let Some(wait) = problem.retry_after {
            error.insert("retry_after_ms".into(), u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).into());
        }
        if problem.code.is_of_request() {
            error.insert("sent".into(), problem.sent.unwrap_or(false).into());
        }
        let mut json = String::from("{\"error\":");
        json.push_str(&Value::Object(error).to_string());
        // Inserted as raw text: parsing and writing it again would round numbers and sort members.
        for (name, verbatim) in [("oauth", problem.oauth), ("platform", problem.platform)] {
            let Some(verbatim) = verbatim else { continue };
            // A large answer for which there is no memory is left out of the failure.
            if json.try_reserve(verbatim.len() + name.len() + 8).is_ok() {
                json.pop();
                let _ = write!(json, ",\"{name}\":{verbatim}}}");
            }
        }
        json.push('}');
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbatim_answers_stay_verbatim() {
        let json =
            Failure::new(Code::OauthError, "refused").oauth(r#"{"z":1.10,"a":18446744073709551616}"#).into_json();
        assert!(json.ends_with(r#","oauth":{"z":1.10,"a":18446744073709551616}}}"#), "{json}");
        assert!(json.starts_with(r#"{"error":{"#), "{json}");
        serde_json::from_str::<Value>(&json).expect("the failure is JSON");
    }
}
