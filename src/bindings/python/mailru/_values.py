"""Python's values on their way to the library and back."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any, TypedDict, Union

from ._errors import refused

if TYPE_CHECKING:
    if sys.version_info >= (3, 10):
        from typing import TypeAlias
    else:
        from typing_extensions import TypeAlias

#: Seconds, or a timedelta.
Duration: TypeAlias = Union[float, timedelta]
#: A method's parameters: a mapping, or JSON text as it is.
Params: TypeAlias = Union[Mapping[str, Any], str, None]
#: What an upload sends: bytes of any kind, or a file that was opened for reading bytes.
FileData: TypeAlias = Union[bytes, bytearray, memoryview, IO[bytes]]


class Options(TypedDict, total=False):
    """The options of every constructor. Durations are seconds or timedelta."""

    pass_error: bool
    api_url: str
    public_url: str
    token_url: str
    client_secret: str
    token_file: str | os.PathLike[str]
    auto_refresh: bool
    timeout: Duration
    connect_timeout: Duration
    retries: int
    retry_delay: Duration
    max_response_bytes: int
    get_limit: int
    max_idle_connections: int
    user_agent: str
    proxy: str
    tls_roots: str
    ca_file: str | os.PathLike[str]
    max_calls_per_second: float
    callbacks_in_calls: bool
    allow_http: bool


class TokenOptions(Options, total=False):
    """The options of sessions that begin with an access token: what lets them renew it."""

    refresh_token: str
    expires_in: int


#: Options that are durations here and milliseconds in the library.
_DURATIONS = {"timeout", "connect_timeout", "retry_delay"}
_PATHS = {"token_file", "ca_file"}


def encoded(name: str, text: str | None) -> bytes | None:
    """A text for the library; it ends at a NUL there, so one within it is refused."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a str, not {type(text).__name__}")
    if "\0" in text:
        raise refused(name, "holds a NUL character")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise refused(name, "holds half a surrogate pair, which is no text") from None


def required(name: str, text: str) -> bytes:
    """A text that may not be None."""
    found = encoded(name, text)
    if found is None:
        raise TypeError(f"{name} must be a str, not None")
    return found


def milliseconds(name: str, duration: Duration | None) -> int | None:
    """A duration; one below a millisecond becomes one, since 0 would be none."""
    if duration is None:
        return None
    if isinstance(duration, timedelta):
        duration = duration.total_seconds()
    if isinstance(duration, bool) or not isinstance(duration, (int, float)):
        raise TypeError(f"{name} must be seconds or a timedelta, not {type(duration).__name__}")
    if not 0 < duration < 1e12:
        raise refused(name, f"must be more than 0 seconds, not {duration}")
    return math.ceil(duration * 1000)


def _simple(value: Any) -> Any:
    if isinstance(value, Decimal):
        # A string is sent as it is, with all its digits.
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a parameter cannot be {type(value).__name__}: {value!r}")


def to_json(name: str, value: Any) -> str:
    """JSON text; integers keep all their digits."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_simple)
    except ValueError as error:
        raise refused(name, str(error)) from None


def params_text(params: Params) -> str | None:
    """A method's parameters as JSON text."""
    if params is None or params == "":
        return None
    if isinstance(params, str):
        try:
            parsed = json.loads(params)
        except ValueError as error:
            raise refused("params_json", f"not valid JSON: {error}") from None
        if not isinstance(parsed, dict):
            raise refused("params_json", "must be a JSON object")
        return params
    if not isinstance(params, Mapping):
        raise TypeError(f"params must be a mapping or JSON text, not {type(params).__name__}")
    for key in params:
        if not isinstance(key, str):
            raise TypeError(f"a parameter's name must be a str, not {key!r}")
    return to_json("params_json", dict(params))


def params_bytes(params: Params) -> bytes | None:
    """The same, for a function that takes the parameters alone."""
    return encoded("params_json", params_text(params))


def options_bytes(options: Mapping[str, Any] | str | None, more: Mapping[str, Any]) -> bytes | None:
    """A constructor's options: the library's JSON, as text or a mapping, and keywords beside it."""
    if isinstance(options, str) and not more:
        return encoded("options_json", options)
    if isinstance(options, str):
        try:
            options = json.loads(options) if options else {}
        except ValueError as error:
            raise refused("options_json", f"not valid JSON: {error}") from None
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"options must be a mapping or JSON text, not {type(options).__name__}")
    members = dict(options or {})
    known = TokenOptions.__annotations__ | Options.__annotations__
    for name, value in more.items():
        if name not in known:
            raise refused(name, f"unknown option; known options: {', '.join(known)}")
        if value is None:
            continue
        if name in _DURATIONS:
            members[name + "_ms"] = milliseconds(name, value)
        elif name in _PATHS:
            members[name] = os.fspath(value)
        else:
            members[name] = value
    return encoded("options_json", to_json("options_json", members)) if members else None


@dataclass(frozen=True)
class Tokens:
    """What a grant gave. repr() hides the secrets; to_json() is what to store."""

    access_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    #: The whole lifetime in seconds, as it was given.
    expires_in: int | None = None
    #: The end, in seconds since 1970.
    expires_at: int | None = None
    uid: str | None = None
    token_type: str | None = None
    circuit: str | None = None

    @property
    def expires(self) -> datetime | None:
        """The end as a datetime, in UTC."""
        return None if self.expires_at is None else datetime.fromtimestamp(self.expires_at, timezone.utc)

    def to_json(self) -> str:
        """The text to store, for Session.stored after a restart."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Tokens:
        """Reads what to_json made; unknown members are left out."""
        members = json.loads(text)
        return cls(**{name: members[name] for name in cls.__dataclass_fields__ if name in members})


def tokens_bytes(tokens: Tokens | Mapping[str, Any] | str | None) -> bytes | None:
    """Stored tokens, in whatever form they are."""
    if isinstance(tokens, Tokens):
        tokens = tokens.to_json()
    elif isinstance(tokens, Mapping):
        tokens = to_json("tokens_json", tokens)
    return encoded("tokens_json", tokens)


@dataclass(frozen=True)
class Redirect:
    """What came back with the browser: the code, or the tokens."""

    code: str | None = field(default=None, repr=False)
    tokens: Tokens | None = None


@dataclass(frozen=True)
class Verified:
    """A query whose signature is right: use these params and nothing else of it."""

    #: The decoded parameters that were checked.
    params: dict[str, str]
    #: The proofs: "sig", "authentication_key".
    checked: list[str]
    #: When a launch or a cookie ends, in seconds since 1970.
    expires_at: int | None = None
    expired: bool | None = None


@dataclass(frozen=True)
class Progress:
    """How much of the request bodies was handed to the connection; total is 0 before the first attempt."""

    sent: int
    total: int


def file_bytes(data: FileData) -> bytes | bytearray | memoryview:
    """The bytes of a file."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return data
    if not hasattr(data, "read"):
        raise TypeError(f"data must be bytes or a file opened for reading bytes, not {type(data).__name__}")
    found = data.read()
    if not isinstance(found, (bytes, bytearray, memoryview)):
        raise TypeError('data must be opened for reading bytes, with mode "rb"')
    return found


def file_name_of(data: FileData, name: str | None) -> str:
    """What a file is called: as the caller says, or as it is called on the disk."""
    if name is not None:
        return name
    on_disk = getattr(data, "name", None)
    return os.path.basename(on_disk) if isinstance(on_disk, str) else "file"
