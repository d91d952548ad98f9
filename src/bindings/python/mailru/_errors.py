"""Errors: one class for each code, with what the error's JSON tells."""

from __future__ import annotations

import json
from ctypes import byref, c_int32
from typing import Any

from ._library import code_name, library, taken


class Error(Exception):
    """A failure. Its class tells who can act; errors can be pickled, so they cross processes."""

    #: The library's code, such as 21, and its name, such as "MAILRU_TIMEOUT".
    code: int
    name: str
    #: The platform's number of an ApiError; else minus the code.
    number: int
    #: The text alone.
    message: str
    #: Whether the same call may succeed later. A write is made again only if ``sent`` is false as well.
    transient: bool
    #: False only if no byte of the request can have reached a server; None if the failure is not one of a request.
    sent: bool | None
    #: After how many seconds the server wants to be asked again, if it said so.
    retry_after: float | None
    #: The argument, option or parameter that was wrong.
    argument: str | None
    #: What an answer lacks.
    field: str | None
    #: The status of the answer.
    http_status: int | None
    #: The authorization server's refusal, as it came.
    oauth: Any
    #: An answer whose "error" is of an unknown shape.
    platform: Any
    #: The error's JSON: of an ApiError the platform's own bytes.
    json: str

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code, self.json, self.name = code, text, code_name(code)
        encoded = text.encode()
        self.number = library.mailru_error_number(encoded)
        self.transient = library.mailru_error_transient(encoded) == 1
        known = c_int32()
        message = taken(library.mailru_error_message(encoded, byref(known)))
        self.message = message if known.value == 0 else text
        members = _members(text) if code != ApiError.CODE else {"sent": True, **_foreign(text)}
        self.sent = members.get("sent")
        pause = members.get("retry_after_ms")
        self.retry_after = None if pause is None else pause / 1000
        self.argument, self.field = members.get("argument"), members.get("field")
        self.http_status = members.get("http_status")
        self.oauth, self.platform = members.get("oauth"), members.get("platform")

    def __str__(self) -> str:
        number = f" {self.number}" if self.code == ApiError.CODE else ""
        return f"{self.name}{number}: {self.message}"

    def __reduce__(self) -> Any:
        return error_of, (self.code, self.json), {"__notes__": n} if (n := getattr(self, "__notes__", None)) else None


def _members(text: str) -> dict[str, Any]:
    try:
        members = json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return members if isinstance(members, dict) else {}


def _foreign(text: str) -> dict[str, Any]:
    """Of a platform's own error nothing is taken for ours, but of one that the library wrapped."""
    members = _members(text)
    return members if members.get("error_code") == -ApiError.CODE else {}


class InvalidArgument(Error, ValueError):
    """An argument, option or parameter is wrong; ``argument`` names it."""

    CODE = 1


class InvalidHandle(Error):
    """The session, queue or cancel handle was closed."""

    CODE = 2


class SignatureUndefined(Error):
    """The session can sign neither way: it has neither uid and private_key nor secret_key."""

    CODE = 3


class SignatureMismatch(Error):
    """The signature is not the platform's, or could be another request's."""

    CODE = 4


class Reentered(Error):
    """A call that needs the token, inside a function that is being told of the same session's tokens."""

    CODE = 5


class ApiError(Error):
    """The platform answered with an error; ``number`` is the platform's."""

    CODE = 10


class OAuthError(Error):
    """The authorization server refused, or its answer lacks a field."""

    CODE = 11


class EmptyResponse(Error):
    """The answer has no body, or is {} or null."""

    CODE = 12


class MalformedResponse(Error):
    """The answer is not JSON, not UTF-8, nested too deep, or cut off."""

    CODE = 13


class ResponseTooLarge(Error):
    """The answer is larger than max_response_bytes."""

    CODE = 14


class HttpError(Error):
    """The status is not a 2xx, and the body is no error of the platform's."""

    CODE = 15


class NetworkError(Error, ConnectionError):
    """Resolving, connecting or the connection itself failed."""

    CODE = 20


class Timeout(Error, TimeoutError):
    """The time limit passed."""

    CODE = 21


class TlsError(Error):
    """The certificate or the handshake was refused."""

    CODE = 22


class Cancelled(Error):
    """The call was ended by cancel(), fire() or close()."""

    CODE = 23


class OutOfMemory(Error, MemoryError):
    """A large buffer or a thread could not be had."""

    CODE = 24


class QueueFull(Error):
    """The queue holds as much as its capacity; take completions first."""

    CODE = 30


class QueueEmpty(Error):
    """Nothing completed within the wait."""

    CODE = 31


class InternalError(Error):
    """A bug in the library."""

    CODE = 99


CLASSES: dict[int, type[Error]] = {
    kind.CODE: kind
    for kind in (
        InvalidArgument, InvalidHandle, SignatureUndefined, SignatureMismatch, Reentered, ApiError, OAuthError,
        EmptyResponse, MalformedResponse, ResponseTooLarge, HttpError, NetworkError, Timeout, TlsError, Cancelled,
        OutOfMemory, QueueFull, QueueEmpty, InternalError,
    )
}  # fmt: skip


for _kind in (Error, *CLASSES.values()):
    # Where programs know them from.
    _kind.__module__ = "mailru"


def error_of(code: int, text: str) -> Error:
    """The error of a code and its JSON."""
    return CLASSES.get(code, Error)(code, text)


def refused(argument: str, problem: str) -> InvalidArgument:
    """What the library would say, where the text cannot even be handed to it."""
    members = {
        "error_code": -InvalidArgument.CODE,
        "error_msg": f"{argument}: {problem}",
        "transient": False,
        "argument": argument,
    }
    return InvalidArgument(
        InvalidArgument.CODE, json.dumps({"error": members}, ensure_ascii=False, separators=(",", ":"))
    )


def check(code: int, name: str) -> None:
    """Raises the error of a function that answers with a code alone."""
    if code != 0:
        members = {"error_code": -code, "error_msg": f"{name}: {code_name(code)}", "transient": False}
        raise error_of(code, json.dumps({"error": members}, separators=(",", ":")))
