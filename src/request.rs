//! The requests that a session can perform, and their form in the JSON of `mailru_request`.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;

use crate::error::{Failure, Outcome};
use crate::http::multipart::Upload;
use crate::json::{Text, members};
use crate::options::LONGEST_MS;
use crate::params::{self, Parameters};

/// A checked request: performing it can fail only because of the session or the network.
#[derive(Debug)]
pub enum Action<'a> {
    /// A method of the platform.
    Call(Call<'a>),
    /// A method of the platform with a file.
    Upload(Call<'a>, FilePart<'a>),
    /// A public page.
    Public {
        /// Its path below `public_url`.
        path: Cow<'a, str>,
        /// Its query.
        parameters: Parameters<'a>,
    },
    /// Tokens, as `mailru_authorize` obtains them.
    Authorize,
}

/// A method with its parameters.
#[derive(Debug)]
pub struct Call<'a> {
    /// The method's name.
    pub method: Cow<'a, str>,
    /// The parameters that the host gave.
    pub parameters: Parameters<'a>,
}

impl<'a> Call<'a> {
    /// Checks a method's name and reads its parameters.
    pub fn new(method: &'a str, params_json: Option<&'a str>) -> Outcome<Call<'a>> {
        params::check_method(method)?;
        Ok(Call { method: Cow::Borrowed(method), parameters: params::call_parameters(params_json)? })
    }
}

/// How a file is sent. The file is not signed.
#[derive(Debug)]
pub struct FilePart<'a> {
    /// The form field that holds the file, such as `img_file`.
    pub field: Cow<'a, str>,
    /// The file's name.
    pub name: Cow<'a, str>,
    /// Its media type.
    pub media_type: Cow<'a, str>,
}

/// The media type of a file of unknown type (RFC 2046, 4.5.1).
pub const UNKNOWN_MEDIA_TYPE: &str = "application/octet-stream";

impl FilePart<'_> {
    /// Joins the description with the file's bytes.
    pub fn with<'a>(&'a self, data: &'a [u8]) -> Upload<'a> {
        Upload { field: &self.field, file_name: &self.name, media_type: &self.media_type, data }
    }
}

/// A request and the settings that replace the session's options.
#[derive(Debug)]
pub struct Request<'a> {
    /// The action.
    pub action: Action<'a>,
    /// The time limit.
    pub limit: Option<Duration>,
    /// The maximum number of retries.
    pub retries: Option<u32>,
    /// Whether any JSON body counts as success.
    pub pass_error: Option<bool>,
    /// When the host made the request. Its time limit starts here, so it includes the reading of the parameters.
    pub received: Instant,
}

impl<'a> From<Action<'a>> for Request<'a> {
    fn from(action: Action<'a>) -> Request<'a> {
        Request { action, limit: None, retries: None, pass_error: None, received: Instant::now() }
    }
}

impl Request<'_> {
    /// The same request with owned texts.
    pub fn into_owned(self) -> Request<'static> {
        let Request { action, limit, retries, pass_error, received } = self;
        Request { action: action.into_owned(), limit, retries, pass_error, received }
    }
}

/// The members that a request may have.
const MEMBERS: &str = "method, public, authorize, params, file, timeout_ms, retries, pass_error";

/// Reads a request; `has_data` says whether the host gave bytes for a file.
pub fn parse(request_json: &str, has_data: bool) -> Outcome<Request<'_>> {
    let received = Instant::now();
    let mut given = Given::default();
    for (name, raw) in members("request_json", request_json)? {
        let member = Member { name: &name, raw };
        if raw.get() == "null" && MEMBERS.split(", ").any(|known| known == name) {
            continue;
        }
        match name.as_ref() {
            "method" => given.method = Some(member.text()?),
            "public" => given.public = Some(member.text()?),
            "authorize" => given.authorize = member.flag()?,
            "params" if !raw.get().starts_with('{') => return Err(member.wrong("an object")),
            "params" => given.params = Some(raw.get()),
            "file" => given.file = Some(file(raw)?),
            "timeout_ms" => given.limit = Some(Duration::from_millis(member.number(0, LONGEST_MS)?)),
            "retries" => given.retries = Some(member.number(0, 100)? as u32),
            "pass_error" => given.pass_error = Some(member.flag()?),
            _ => return Err(Failure::argument(&name, format!("unknown member; known members: {MEMBERS}"))),
        }
    }
    // As for mailru_call_within, 0 is the session's limit.
    let limit = given.limit.filter(|limit| !limit.is_zero());
    let (retries, pass_error) = (given.retries, given.pass_error);
    Ok(Request { action: given.action(has_data)?, limit, retries, pass_error, received })
}

#[derive(Default)]
struct Given<'a> {
    method: Option<Cow<'a, str>>,
    public: Option<Cow<'a, str>>,
    authorize: bool,
    params: Option<&'a str>,
    file: Option<FilePart<'a>>,
    limit: Option<Duration>,
    retries: Option<u32>,
    pass_error: Option<bool>,
}

impl<'a> Given<'a> {
    fn action(self, has_data: bool) -> Outcome<Action<'a>> {
        if has_data && self.file.is_none() {
            return Err(Failure::argument("data", "is given without \"file\"; give data only for an upload"));
        }
        if self.file.is_some() && self.method.is_none() {
            return Err(Failure::argument("file", "is only allowed together with \"method\""));
        }
        if self.params.is_some() && self.authorize {
            return Err(Failure::argument("params", "is only allowed together with \"method\" or \"public\""));
        }
        match (self.method, self.public, self.authorize) {
            (Some(method), None, false) => {
                params::check_method(&method)?;
                let call = Call { method, parameters: params::call_parameters(self.params)? };
                let Some(file) = self.file else { return Ok(Action::Call(call)) };
                if !has_data {
                    return Err(Failure::argument("data", "is NULL; it must point to the file's bytes"));
                }
                file.with(&[]).check(&call.parameters)?;
                Ok(Action::Upload(call, file))
            }
            (None, Some(path), false) => {
                params::check_path(&path)?;
                Ok(Action::Public { path, parameters: params::plain_parameters(self.params)? })
            }
            (None, None, true) => Ok(Action::Authorize),
            _ => Err(Failure::argument(
                "request_json",
                "must have exactly one of \"method\", \"public\" and \"authorize\":true",
            )),
        }
    }
}

fn file(raw: &RawValue) -> Outcome<FilePart<'_>> {
    let (mut field, mut name, mut media_type) = (None, None, None);
    for (member_name, raw) in members("file", raw.get())? {
        let slot = match member_name.as_ref() {
            "field" => &mut field,
            "name" => &mut name,
            "type" => &mut media_type,
            _ => {
                return Err(Failure::argument(
                    &member_name,
                    "unknown member of file; known members: field, name, type",
                ));
            }
        };
        if raw.get() != "null" {
            *slot = Some(Member { name: &member_name, raw }.text()?);
        }
    }
    let missing = |name: &str| Failure::argument(name, "is missing from file; give file both field and name");
    Ok(FilePart {
        field: field.ok_or_else(|| missing("field"))?,
        name: name.ok_or_else(|| missing("name"))?,
        media_type: media_type.unwrap_or(Cow::Borrowed(UNKNOWN_MEDIA_TYPE)),
    })
}

/// One member of the request.
struct Member<'n, 'a> {
    name: &'n str,
    raw: &'a RawValue,
}

impl<'a> Member<'_, 'a> {
    fn wrong(&self, right: &str) -> Failure {
        Failure::argument(self.name, format!("must be {right}"))
    }

    fn text(&self) -> Outcome<Cow<'a, str>> {
        serde_json::from_str::<Text>(self.raw.get()).map(|text| text.0).map_err(|_| self.wrong("a string"))
    }

    fn flag(&self) -> Outcome<bool> {
        serde_json::from_str(self.raw.get()).map_err(|_| self.wrong("true or false"))
    }

    fn number(&self, least: u64, most: u64) -> Outcome<u64> {
        let number: Option<u64> = serde_json::from_str(self.raw.get()).ok();
        let number = number.filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| self.wrong(&format!("a whole number from {least} to {most}")))
    }
}

impl Action<'_> {
    /// The length of the texts that may be large.
    pub fn size(&self) -> usize {
        let of = |parameters: &Parameters<'_>| parameters.iter().map(|(name, value)| name.len() + value.len()).sum();
        match self {
            Action::Call(call) | Action::Upload(call, _) => of(&call.parameters),
            Action::Public { parameters, .. } => of(parameters),
            Action::Authorize => 0,
        }
    }

    /// The same action with owned texts.
    fn into_owned(self) -> Action<'static> {
        fn own(text: Cow<'_, str>) -> Cow<'static, str> {
            Cow::Owned(text.into_owned())
        }
        fn own_all(parameters: Parameters<'_>) -> Parameters<'static> {
            parameters.into_iter().map(|(name, value)| (own(name), own(value))).collect()
        }
        fn own_call(call: Call<'_>) -> Call<'static> {
            Call { method: own(call.method), parameters: own_all(call.parameters) }
        }
        match self {
            Action::Call(call) => Action::Call(own_call(call)),
            Action::Upload(call, file) => {
                let FilePart { field, name, media_type } = file;
                Action::Upload(
                    own_call(call),
                    FilePart { field: own(field), name: own(name), media_type: own(media_type) },
                )
            }
            Action::Public { path, parameters } => Action::Public { path: own(path), parameters: own_all(parameters) },
            Action::Authorize => Action::Authorize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_request() {
        let request = parse(r#"{"method":"friends.get","params":{"ext":1},"timeout_ms":5,"retries":0}"#, false);
        let request = request.expect("valid");
        assert_eq!(
            (request.limit, request.retries, request.pass_error),
            (Some(Duration::from_millis(5)), Some(0), None)
        );
        let Action::Call(call) = request.action else { panic!("a call") };
        assert_eq!((call.method.as_ref(), call.parameters.len()), ("friends.get", 1));

        let json = r#"{"method":"photos.upload","file":{"field":"img_file","name":"a.jpg"},"pass_error":true}"#;
        let Action::Upload(_, file) = parse(json, true).expect("valid").action else { panic!("an upload") };
        assert_eq!((file.field.as_ref(), file.media_type.as_ref()), ("img_file", "application/octet-stream"));

        let json = r#"{"public":"mail/nick","params":{"sig":"x"},"method":null,"timeout_ms":0}"#;
        let request = parse(json, false).expect("valid");
        assert!(matches!(request.action, Action::Public { .. }) && request.limit.is_none());
        assert!(matches!(parse(r#"{"authorize":true}"#, false).expect("valid").action, Action::Authorize));
    }

    #[test]
    fn mistakes_are_named() {
        for (json, has_data, named) in [
            ("[]", false, "request_json"),
            ("", false, "request_json"),
            ("{}", false, "request_json"),
            (r#"{"authorize":false}"#, false, "request_json"),
            (r#"{"method":"a","public":"b"}"#, false, "request_json"),
            (r#"{"method":"a","authorize":true}"#, false, "request_json"),
            (r#"{"method":"a","method":"b"}"#, false, "method"),
            (r#"{"method":"a b"}"#, false, "method"),
            (r#"{"method":1}"#, false, "method"),
            (r#"{"method":"a","Params":{}}"#, false, "Params"),
            (r#"{"method":"a","params":[]}"#, false, "params"),
            (r#"{"method":"a","params":{"sig":"x"}}"#, false, "sig"),
            (r#"{"method":"a","timeout_ms":-1}"#, false, "timeout_ms"),
            (r#"{"method":"a","timeout_ms":"5"}"#, false, "timeout_ms"),
            (r#"{"method":"a","retries":101}"#, false, "retries"),
            (r#"{"method":"a","pass_error":1}"#, false, "pass_error"),
            (r#"{"method":"a"}"#, true, "data"),
            (r#"{"method":"a","file":{"field":"f","name":"n"}}"#, false, "data"),
            (r#"{"method":"a","file":{"field":"f"}}"#, true, "name"),
            (r#"{"method":"a","file":{"field":"f","name":"n","size":1}}"#, true, "size"),
            (r#"{"method":"a","file":{"field":"","name":"n"}}"#, true, "field"),
            (r#"{"method":"a","file":{"field":"sig","name":"n"}}"#, true, "field"),
            (r#"{"method":"a","params":{"f":1},"file":{"field":"f","name":"n"}}"#, true, "field"),
            (r#"{"method":"a","file":{"field":"f","name":"n","type":"a/b\r\nc"}}"#, true, "type"),
            (r#"{"public":"mail/nick","file":{"field":"f","name":"n"}}"#, true, "file"),
            (r#"{"public":"../x"}"#, false, "path"),
            (r#"{"authorize":true,"params":{}}"#, false, "params"),
        ] {
            let failure = parse(json, has_data).expect_err(json).into_json();
            assert!(failure.contains(&format!("\"argument\":\"{named}\"")), "{json}: {failure}");
        }
    }
}
