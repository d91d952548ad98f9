"""The Mail.ru platform's REST API through libmailru: signed calls, tokens that renew themselves, payments, launches.

    import mailru

    with mailru.Session.client(app_id, private_key, access_token, uid) as session:
        friends = session.call("friends.get", {"ext": 1})

A session serves many threads at once; for asyncio there is mailru.aio, with the same names. Failures are mailru.Error
and its subclasses. After a fork the child may go on with its sessions; queues stay with the parent. Give processes that
share a user's tokens the option token_file.
"""

from . import aio
from ._callbacks import set_log
from ._calls import Cancel
from ._errors import (
    ApiError,
    Cancelled,
    EmptyResponse,
    Error,
    HttpError,
    InternalError,
    InvalidArgument,
    InvalidHandle,
    MalformedResponse,
    NetworkError,
    OAuthError,
    OutOfMemory,
    QueueEmpty,
    QueueFull,
    Reentered,
    ResponseTooLarge,
    SignatureMismatch,
    SignatureUndefined,
    Timeout,
    TlsError,
)
from ._helpers import authorize_url, errors, methods, parse_redirect, verify, verify_launch, verify_query
from ._library import abi_version, code_name, version
from ._values import Options, Progress, Redirect, TokenOptions, Tokens, Verified
from .session import Completion, Queue, Session

__all__ = [
    "ApiError",
    "Cancel",
    "Cancelled",
    "Completion",
    "EmptyResponse",
    "Error",
    "HttpError",
    "InternalError",
    "InvalidArgument",
    "InvalidHandle",
    "MalformedResponse",
    "NetworkError",
    "OAuthError",
    "Options",
    "OutOfMemory",
    "Progress",
    "Queue",
    "QueueEmpty",
    "QueueFull",
    "Redirect",
    "Reentered",
    "ResponseTooLarge",
    "Session",
    "SignatureMismatch",
    "SignatureUndefined",
    "Timeout",
    "TlsError",
    "TokenOptions",
    "Tokens",
    "Verified",
    "abi_version",
    "aio",
    "authorize_url",
    "code_name",
    "errors",
    "methods",
    "parse_redirect",
    "set_log",
    "verify",
    "verify_launch",
    "verify_query",
    "version",
]
