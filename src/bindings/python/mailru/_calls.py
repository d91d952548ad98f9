"""How the library's functions are called: answers, errors, handles, and waiting that Ctrl-C ends."""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections.abc import Callable
from ctypes import byref, c_char, c_int32, c_uint64, c_void_p
from typing import TYPE_CHECKING, Any, NoReturn

from ._callbacks import progress_of
from ._errors import check, error_of
from ._library import library, taken
from ._values import Duration, FileData, Params, Progress, file_bytes, file_name_of, milliseconds, params_text

if TYPE_CHECKING:
    import sys

    if sys.version_info >= (3, 11):
        from typing import Self
    else:
        from typing_extensions import Self

#: For how long the main thread waits before it looks whether Ctrl-C was pressed.
SLICE_MS = 50


def answer(function: Any, *arguments: Any) -> str:
    """Runs a function that answers with JSON and a code."""
    code = c_int32()
    text = taken(function(*arguments, byref(code)))
    if code.value != 0:
        raise error_of(code.value, text)
    return text


def made(function: Any, *arguments: Any) -> int:
    """Runs a function that answers with a handle."""
    error = c_void_p()
    number: int = function(*arguments, byref(error))
    if number == 0:
        refuse(error)
    return number


def refuse(error: c_void_p) -> NoReturn:
    """Raises what a function told in its error parameter."""
    text = taken(error.value)
    raise error_of(-int(library.mailru_error_number(text.encode())), text)


class Handle:
    """A number of the library's, freed once: by close(), by the end of a with block, or with the object."""

    def __init__(self, number: int, free: Callable[[int], Any]) -> None:
        # The number is kept after that: the library answers a stale one with an error.
        self._number = number
        self._free = weakref.finalize(self, free, number)
        # When the process ends there is nothing to give back.
        self._free.atexit = False

    def close(self) -> None:
        """Gives back what the object holds in the library. Closing twice is harmless."""
        self._free()

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return not self._free.alive

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} belongs to its process and cannot be copied or pickled; make one in each "
            "process, or before the processes are forked"
        )


class Cancel(Handle):
    """Ends the calls that were given it, from any thread; and tells how far their uploads are."""

    def __init__(self) -> None:
        super().__init__(library.mailru_cancel_new(), library.mailru_cancel_free)

    def fire(self) -> None:
        """Ends its calls within 50 ms as Cancelled, and later ones at once. Once fired it stays fired."""
        check(library.mailru_cancel_fire(self._number), "mailru_cancel_fire")

    def progress(self) -> Progress:
        """How much of the request bodies of its calls was sent."""
        return Progress(*progress_of(self._number))


class Request:
    """A request as mailru_request takes it, with the bytes of an upload."""

    def __init__(
        self,
        kind: str,
        value: Any,
        params: Params = None,
        *,
        timeout: Duration | None = None,
        retries: int | None = None,
        pass_error: bool | None = None,
    ) -> None:
        if kind != "authorize" and not isinstance(value, str):
            raise TypeError(f"{kind} must be a str, not {type(value).__name__}")
        members = [f"{json.dumps(kind)}:{json.dumps(value)}"]
        given = params_text(params)
        if given is not None:
            members.append(f'"params":{given}')
        rest = {"timeout_ms": milliseconds("timeout", timeout), "retries": retries, "pass_error": pass_error}
        members += [f'"{name}":{json.dumps(found)}' for name, found in rest.items() if found is not None]
        self._members, self._data = members, b""
        self.buffer: Any = None
        self.size = 0

    def attach(self, field: str, name: str | None, data: FileData, content_type: str | None) -> None:
        """Makes it an upload."""
        found = file_bytes(data)
        described = {"field": field, "name": file_name_of(data, name)}
        if content_type is not None:
            described["type"] = content_type
        self._members.append(f'"file":{json.dumps(described)}')
        # Read in place; what cannot be is copied.
        if isinstance(found, bytes):
            self.buffer, self.size = found, len(found)
            return
        view = memoryview(found).cast("B") if memoryview(found).c_contiguous else memoryview(bytes(found))
        self.size = len(view)
        self.buffer = bytes(view) if view.readonly or not self.size else (c_char * self.size).from_buffer(view)

    @property
    def text(self) -> bytes:
        """Its JSON. Surrogates stay escaped, so that the library can say what is wrong with them."""
        return ("{" + ",".join(self._members) + "}").encode("utf-8", "backslashreplace")


#: Queues for the calls of the main thread, one each; those that serve no call at present.
_idle_queues: list[int] = []

if hasattr(os, "register_at_fork"):
    # A queue stays with the process that made it.
    os.register_at_fork(after_in_child=_idle_queues.clear)


def perform(
    session: int,
    request: Request,
    cancel: Cancel | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> str:
    """Performs a request and waits for its answer.

    Python runs its signal handlers on the main thread, and only between two steps of Python's: so the main thread
    waits in slices, for a queue. Other threads wait for the function itself.
    """
    handle = 0 if cancel is None else cancel._number
    # Not current_thread(), which makes an object for a thread of the library's that is in a callback.
    if progress is None and threading.get_ident() != threading.main_thread().ident:
        return answer(library.mailru_request, session, request.text, request.buffer, request.size, handle)
    if progress is not None and cancel is None:
        with Cancel() as own:
            return perform(session, request, own, progress)
    try:
        queue = _idle_queues.pop()
    except IndexError:
        queue = made(library.mailru_queue_new, 1, 1)
    try:
        submit(queue, session, request, handle, 0)
        last = None
        while (completion := take(queue, SLICE_MS)) is None:
            if progress is not None and cancel is not None and (now := cancel.progress()) != last:
                last = now
                progress(now)
    except BaseException:
        # Ends the call, too.
        library.mailru_queue_free(queue)
        raise
    _idle_queues.append(queue)
    _, code, text = completion
    if code != 0:
        raise error_of(code, text)
    if progress is not None and cancel is not None and (now := cancel.progress()) != last:
        progress(now)
    return text


def submit(queue: int, session: int, request: Request, cancel: int, tag: int) -> None:
    """Hands a request to a queue."""
    error = c_void_p()
    function = library.mailru_queue_request
    if function(queue, session, request.text, request.buffer, request.size, cancel, tag, byref(error)) != 0:
        refuse(error)


def take(queue: int, wait_ms: int) -> tuple[int, int, str] | None:
    """The next completion of a queue as tag, code and JSON; None if there was none in time."""
    tag, code = c_uint64(), c_int32()
    pointer = library.mailru_queue_next(queue, wait_ms, byref(tag), byref(code))
    return None if pointer is None else (tag.value, code.value, taken(pointer))
