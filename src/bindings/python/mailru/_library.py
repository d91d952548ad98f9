"""The library: where it is found, and each of its functions with its types in full.

Without a result type ctypes would cut a handle to 32 bits, and a string of the library's has to be a c_void_p: of a
c_char_p only a copy would be left, and the string would leak.
"""

from __future__ import annotations

import os
import sys
from ctypes import (
    CDLL,
    CFUNCTYPE,
    POINTER,
    c_char_p,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
    sizeof,
    string_at,
)
from pathlib import Path
from typing import Any

#: The number of the binary interface that this package was written for.
ABI_VERSION = 0

if sys.platform == "win32":
    FILE_NAMES = ["mailru.dll"]
elif sys.platform == "darwin":
    FILE_NAMES = [f"libmailru.{ABI_VERSION}.dylib", "libmailru.dylib"]
else:
    FILE_NAMES = [f"libmailru.so.{ABI_VERSION}"]


def _candidates() -> list[str]:
    """Where the library may be, best first. A variable that names a file is an order, not a hint."""
    named = os.environ.get("MAILRU_LIBRARY")
    if named:
        return [named]
    beside = [str(Path(__file__).with_name(name)) for name in FILE_NAMES]
    return [path for path in beside if os.path.exists(path)] + FILE_NAMES


def _load() -> CDLL:
    failures = []
    for path in _candidates():
        try:
            loaded = CDLL(path)
            found = loaded.mailru_abi_version()
        except (OSError, AttributeError) as error:
            failures.append(f"{path}: {error}")
            continue
        if found == ABI_VERSION:
            return loaded
        failures.append(f"{path}: its binary interface has the number {found}, not {ABI_VERSION}")
    if not os.environ.get("MAILRU_LIBRARY"):
        failures.append(f"{Path(__file__).parent}: holds no {' or '.join(FILE_NAMES)}")
    raise ImportError(
        "the library libmailru was not found; install it, or let the environment variable MAILRU_LIBRARY hold the "
        "path of its file. Tried:\n  " + "\n  ".join(failures)
    )


library = _load()

TokenFunction = CFUNCTYPE(None, c_void_p, c_char_p)
RenewalFunction = CFUNCTYPE(None, c_void_p, c_int32)
LogFunction = CFUNCTYPE(None, c_void_p, c_int32, c_char_p)
ReleaseFunction = CFUNCTYPE(None, c_void_p)

_TEXT, _OWNED, _HANDLE = c_char_p, c_void_p, c_uint64
_CODE, _ERROR = POINTER(c_int32), POINTER(c_void_p)


def _constructor(texts: int) -> tuple[Any, ...]:
    # The last text is the options.
    return (_HANDLE, *[_TEXT] * (texts + 1), _ERROR)


#: The result and the arguments of each function in the header.
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "mailru_public_session_new": _constructor(0),
    "mailru_token_session_new": _constructor(5),
    "mailru_client_session_new": _constructor(4),
    "mailru_server_session_new": _constructor(3),
    "mailru_code_session_new": _constructor(5),
    "mailru_code_client_session_new": _constructor(4),
    "mailru_code_server_session_new": _constructor(4),
    "mailru_password_session_new": _constructor(6),
    "mailru_password_client_session_new": _constructor(5),
    "mailru_password_server_session_new": _constructor(5),
    "mailru_refresh_session_new": _constructor(4),
    "mailru_refresh_client_session_new": _constructor(3),
    "mailru_refresh_server_session_new": _constructor(3),
    "mailru_stored_session_new": _constructor(4),
    "mailru_session_free": (None, _HANDLE),
    "mailru_session_cancel": (c_int32, _HANDLE),
    "mailru_session_set_tokens": (c_int32, _HANDLE, _TEXT, _ERROR),
    "mailru_session_on_token": (c_int32, _HANDLE, TokenFunction, c_void_p, ReleaseFunction),
    "mailru_session_hold": (c_int32, _HANDLE, c_int32),
    "mailru_session_on_renewal": (c_int32, _HANDLE, RenewalFunction, c_void_p, ReleaseFunction),
    "mailru_call": (_OWNED, _HANDLE, _TEXT, _TEXT, _CODE),
    "mailru_call_within": (_OWNED, _HANDLE, _TEXT, _TEXT, c_int64, _HANDLE, _CODE),
    "mailru_upload": (_OWNED, _HANDLE, _TEXT, _TEXT, _TEXT, _TEXT, c_void_p, c_size_t, _CODE),
    "mailru_public": (_OWNED, _HANDLE, _TEXT, _TEXT, _CODE),
    "mailru_request": (_OWNED, _HANDLE, _TEXT, c_void_p, c_size_t, _HANDLE, _CODE),
    "mailru_authorize": (_OWNED, _HANDLE, _CODE),
    "mailru_stats": (_OWNED, _HANDLE, _CODE),
    "mailru_tokens": (_OWNED, _HANDLE, _CODE),
    "mailru_sign": (_OWNED, _HANDLE, _TEXT, _TEXT, _CODE),
    "mailru_cancel_new": (_HANDLE,),
    "mailru_cancel_fire": (c_int32, _HANDLE),
    "mailru_cancel_progress": (c_int32, _HANDLE, POINTER(c_uint64), POINTER(c_uint64)),
    "mailru_cancel_free": (None, _HANDLE),
    "mailru_queue_new": (_HANDLE, c_uint32, c_uint32, _ERROR),
    "mailru_queue_submit": (c_int32, _HANDLE, _HANDLE, _TEXT, _TEXT, c_uint64, _ERROR),
    "mailru_queue_request": (
        c_int32,
        _HANDLE,
        _HANDLE,
        _TEXT,
        c_void_p,
        c_size_t,
        _HANDLE,
        c_uint64,
        _ERROR,
    ),  # fmt: skip
    "mailru_queue_next": (_OWNED, _HANDLE, c_int32, POINTER(c_uint64), _CODE),
    "mailru_queue_cancel": (c_int32, _HANDLE, c_uint64),
    "mailru_queue_fd": (c_int32, _HANDLE),
    "mailru_queue_free": (None, _HANDLE),
    "mailru_error_number": (c_int64, _TEXT),
    "mailru_error_transient": (c_int32, _TEXT),
    "mailru_error_message": (_OWNED, _TEXT, _CODE),
    "mailru_errors": (_OWNED, _CODE),
    "mailru_methods": (_OWNED, _CODE),
    "mailru_authorize_url": (_OWNED, *[_TEXT] * 5, _CODE),
    "mailru_authorize_url_at": (_OWNED, *[_TEXT] * 6, _CODE),
    "mailru_parse_redirect": (_OWNED, _TEXT, _TEXT, _CODE),
    "mailru_verify": (_OWNED, _TEXT, _TEXT, _CODE),
    "mailru_verify_launch": (_OWNED, _TEXT, _TEXT, _CODE),
    "mailru_verify_query": (_OWNED, _TEXT, _TEXT, _TEXT, _CODE),
    "mailru_set_log": (c_int32, LogFunction, c_void_p, ReleaseFunction, c_int32),
    "mailru_string_free": (None, _OWNED),
    "mailru_version": (c_char_p,),
    "mailru_abi_version": (c_uint32,),
    "mailru_code_name": (c_char_p, c_int32),
}

for _name, (_result, *_arguments) in FUNCTIONS.items():
    try:
        _function = getattr(library, _name)
    except AttributeError:
        raise ImportError(f"{library._name}: has no function {_name}; it is older than this package") from None
    _function.restype, _function.argtypes = _result, _arguments


def taken(pointer: int | None) -> str:
    """Copies a string of the library's, and releases it."""
    if pointer is None:
        return ""
    try:
        return string_at(pointer).decode()
    finally:
        library.mailru_string_free(pointer)


def code_name(code: int) -> str:
    """The name of a code, such as "MAILRU_OK"."""
    name: bytes = library.mailru_code_name(code)
    return name.decode()


def version() -> str:
    """The library's version, such as "0.1.0"."""
    text: bytes = library.mailru_version()
    return text.decode()


def abi_version() -> int:
    """The number of the library's binary interface."""
    number: int = library.mailru_abi_version()
    return number


def _release_function() -> Any:
    """What the library calls when a function's number will not be used again.

    It is a function of the library's own, which frees the cancel handle that serves as the number: no Python runs in
    it, so that none can run on a thread of the library's while the interpreter ends.
    """
    if sizeof(c_void_p) == 8:
        return ReleaseFunction(("mailru_cancel_free", library))
    # A handle does not fit into a pointer as an argument does.
    return ReleaseFunction(lambda number: library.mailru_cancel_free(number or 0))


RELEASE = _release_function()
