"""The program's functions that the library calls, on threads of its own.

A thread that calls Python while the interpreter ends would end the process: so all functions are removed before that,
and what runs is waited for.
"""

from __future__ import annotations

import _thread
import atexit
import logging
import os
import threading
import time
from contextvars import Context, copy_context
from ctypes import byref, c_uint64
from typing import Any, Callable

from ._errors import check
from ._library import RELEASE, LogFunction, ReleaseFunction, RenewalFunction, TokenFunction, library
from ._values import Tokens

logger = logging.getLogger("mailru")

#: How long the end of the process waits for functions that run, and for those that may still be called for a grant
#: that outlived its session.
_LONGEST_RUN, _LONGEST_CALL = 30.0, 1.0

#: The functions that the library may still call, each with the context it was set in. Its number is a cancel handle,
#: which the library frees when it will not call the function again.
_kept: dict[int, tuple[Callable[..., None], Context]] = {}
_running: dict[int, int] = {}
_sessions: set[int] = set()
_registered = False


def _keep(function: Callable[..., None]) -> int:
    global _registered
    sweep()
    if not _registered:
        _registered = True
        atexit.register(_remove_all)
    number: int = library.mailru_cancel_new()
    _kept[number] = (function, copy_context())
    return number


def sweep() -> None:
    """Forgets the functions that the library has let go of."""
    for number in list(_kept):
        if library.mailru_cancel_progress(number, None, None) != 0:
            _kept.pop(number, None)


def _call(number: int | None, *values: Any) -> None:
    """Calls a function of the program's. What it raises has no way through the library, so it is logged."""
    kept = _kept.get(number or 0)
    if kept is None:
        return
    function, context = kept
    thread = threading.get_ident()
    _running[thread] = _running.get(thread, 0) + 1
    try:
        # A copy, since several threads may be in the function at once.
        context.copy().run(function, *values)
    except KeyboardInterrupt:
        _thread.interrupt_main()
    except BaseException:
        # A failed storing of tokens, say: they are used nevertheless, or the user would be logged out.
        if function is not _to_logger:
            logger.exception("a function that the library called failed: %r", function)
    finally:
        _running[thread] -= 1
        if _running[thread] == 0:
            del _running[thread]


def _on_token(number: int | None, tokens: bytes) -> None:
    _call(number, Tokens.from_json(tokens.decode()))


def _on_renewal(number: int | None, phase: int) -> None:
    _call(number, phase == 1)


def _on_log(number: int | None, level: int, message: bytes) -> None:
    _call(number, _LEVELS.get(level, logging.DEBUG), message.decode())


# They are kept for ever, since the library may call them as long as it is loaded.
_TELL_TOKENS, _TELL_RENEWAL, _TELL_LOG = TokenFunction(_on_token), RenewalFunction(_on_renewal), LogFunction(_on_log)


def set_on_token(session: int, function: Callable[[Tokens], None] | None) -> None:
    """Sets or removes what is told of new tokens."""
    _set("mailru_session_on_token", TokenFunction, _TELL_TOKENS, session, function)


def set_on_renewal(session: int, function: Callable[[bool], None] | None) -> None:
    """Sets or removes what is called around a renewal."""
    _set("mailru_session_on_renewal", RenewalFunction, _TELL_RENEWAL, session, function)


def _set(name: str, kind: Any, trampoline: Any, session: int, function: Callable[..., None] | None) -> None:
    setter = getattr(library, name)
    if function is None:
        check(setter(session, kind(), None, ReleaseFunction()), name)
        return
    if not callable(function):
        raise TypeError(f"the function must be callable or None, not {type(function).__name__}")
    _sessions.add(session)
    check(setter(session, trampoline, _keep(function), RELEASE), name)


_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}

_log_target: logging.Logger | None = None


def _to_logger(level: int, message: str) -> None:
    if _log_target is not None:
        _log_target.log(level, "%s", message)


def set_log(target: logging.Logger | Callable[[int, str], None] | None = logger, level: int = logging.DEBUG) -> None:
    """Has the library's log told to a logger, or to a function of a level of logging's and a line; None ends it.

    It holds for the whole process. ``level`` is one of logging's: lines below it are not made. No line holds a secret.
    """
    global _log_target
    if target is None or level > logging.ERROR:
        check(library.mailru_set_log(LogFunction(), None, ReleaseFunction(), 0), "mailru_set_log")
        return
    most = next(number for number in (4, 3, 2, 1) if _LEVELS[number] >= level)
    if isinstance(target, logging.Logger):
        _log_target, target = target, _to_logger
    elif not callable(target):
        raise TypeError(f"target must be a logger, a function or None, not {type(target).__name__}")
    check(library.mailru_set_log(_TELL_LOG, _keep(target), RELEASE, most), "mailru_set_log")


def forget_session(session: int) -> None:
    """A session was freed. Its functions stay until its grants are over."""
    _sessions.discard(session)
    if _kept:
        sweep()


def _remove_all() -> None:
    for session in list(_sessions):
        library.mailru_session_on_token(session, TokenFunction(), None, ReleaseFunction())
        library.mailru_session_on_renewal(session, RenewalFunction(), None, ReleaseFunction())
    library.mailru_set_log(LogFunction(), None, ReleaseFunction(), 0)
    begun = time.monotonic()
    while _kept:
        waited = time.monotonic() - begun
        if waited > (_LONGEST_RUN if _running else _LONGEST_CALL):
            break
        time.sleep(0.001)
        sweep()


def _in_child() -> None:
    # The threads that ran them are the parent's.
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def progress_of(cancel: int) -> tuple[int, int]:
    """What mailru_cancel_progress tells."""
    sent, total = c_uint64(), c_uint64()
    check(library.mailru_cancel_progress(cancel, byref(sent), byref(total)), "mailru_cancel_progress")
    return sent.value, total.value
