"""Sessions for asyncio, with the names of mailru.Session: calls are coroutines, and no thread of Python's waits.

    async with mailru.aio.Session.client(app_id, private_key, access_token, uid) as session:
        friends = await session.call("friends.get", {"ext": 1})

The loop watches the descriptor of a queue. Cancelling a task, as asyncio.timeout does, ends its call. Up to 1024 calls
of a loop are in flight at once, and further ones wait their turn: limit_in_flight() sets another number.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import logging
import os
import threading
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import TimeoutError as FutureTimeout
from contextvars import Context
from typing import TYPE_CHECKING, Any, Literal, overload

from ._calls import Cancel, Request, made, submit, take
from ._errors import error_of
from ._library import library
from ._sessions import BaseSession
from ._values import Duration, FileData, Params, Progress, Tokens

if TYPE_CHECKING:
    import sys

    if sys.version_info >= (3, 11):
        from typing import Self
    else:
        from typing_extensions import Self

__all__ = ["Session", "in_flight", "limit_in_flight"]

_logger = logging.getLogger("mailru")

_limit = 1024


def limit_in_flight(calls: int) -> None:
    """How many calls of a loop are in flight at once, up to 65,536. It holds for loops that made no call yet."""
    global _limit
    if not 0 < calls <= 65_536:
        raise ValueError(f"calls must be between 1 and 65536, not {calls}")
    _limit = calls


class _Calls:
    """The calls of one event loop."""

    # What waits is kept by the loop, which has no limit; the queue need only hold it.
    _CAPACITY = 2**32 - 1

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # Not the loop itself, which is the key under which this is kept.
        self._loop = weakref.ref(loop)
        self._queue = made(library.mailru_queue_new, _limit, self._CAPACITY)
        self._descriptor: int = library.mailru_queue_fd(self._queue)
        self._free = weakref.finalize(self, library.mailru_queue_free, self._queue)
        self._free.atexit = False
        self._waiting: dict[int, asyncio.Future[str]] = {}
        self._tags = itertools.count(1)
        self._watched = False

    async def perform(self, session: int, request: Request, cancel: Cancel | None) -> str:
        loop = asyncio.get_running_loop()
        tag, future = next(self._tags), loop.create_future()
        submit(self._queue, session, request, 0 if cancel is None else cancel._number, tag)
        self._waiting[tag] = future
        if not self._watched:
            self._watch(loop)
        try:
            found: str = await future
            return found
        except asyncio.CancelledError:
            library.mailru_queue_cancel(self._queue, tag)
            raise

    def free(self) -> None:
        """The loop was closed."""
        self._free()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Has the loop take completions, as long as calls are in flight."""
        self._watched = True
        if self._descriptor >= 0:
            try:
                # In a context of its own: the caller's would be kept by the loop.
                Context().run(loop.add_reader, self._descriptor, self._take)
                return
            except NotImplementedError:
                self._descriptor = -1
        # A loop that cannot watch a descriptor, as on Windows: a thread waits instead.
        arguments = (weakref.ref(self), self._queue, loop)
        threading.Thread(target=_wait, args=arguments, name="mailru", daemon=True).start()

    def _take(self) -> None:
        # All that there is: the descriptor stays readable until then.
        while (completion := take(self._queue, 0)) is not None:
            self.settle(completion)
        if not self._waiting and self._watched and self._descriptor >= 0:
            self._watched = False
            loop = self._loop()
            if loop is not None:
                loop.remove_reader(self._descriptor)

    def settle(self, completion: tuple[int, int, str]) -> None:
        tag, code, text = completion
        future = self._waiting.pop(tag, None)
        if future is None or future.done():
            return
        if code == 0:
            future.set_result(text)
        else:
            future.set_exception(error_of(code, text))

    def rests(self) -> bool:
        """For the thread that waits: whether nothing is in flight any more."""
        if self._waiting:
            return False
        self._watched = False
        return True


def _wait(calls: weakref.ref[_Calls], queue: int, loop: asyncio.AbstractEventLoop) -> None:
    resting = False

    def settle(completion: tuple[int, int, str] | None) -> None:
        nonlocal resting
        found = calls()
        if found is not None and completion is not None:
            found.settle(completion)
        else:
            resting = found is None or found.rests()

    while not resting and not loop.is_closed():
        completion = take(queue, 50)
        try:
            loop.call_soon_threadsafe(settle, completion)
        except RuntimeError:
            # The loop was closed.
            return


_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Calls] = weakref.WeakKeyDictionary()

if hasattr(os, "register_at_fork"):
    # Queues stay with the process that made them.
    os.register_at_fork(after_in_child=lambda: _loops.clear())


def _calls_of(loop: asyncio.AbstractEventLoop) -> _Calls:
    found = _loops.get(loop)
    if found is None:
        for other, calls in list(_loops.items()):
            if other.is_closed():
                calls.free()
                del _loops[other]
        found = _loops[loop] = _Calls(loop)
    return found


def in_flight() -> int:
    """How many calls of the running loop the library has, those included whose tasks were cancelled this moment."""
    found = _loops.get(asyncio.get_running_loop())
    return 0 if found is None else found.waiting


class Session(BaseSession):
    """An application's keys and a user's tokens, for asyncio. It serves any number of tasks and loops at once."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def _perform(self, request: Request, cancel: Cancel | None) -> str:
        return await _calls_of(asyncio.get_running_loop()).perform(self._number, request, cancel)

    @overload
    async def call(
        self, method: str, params: Params = None, *, timeout: Duration | None = None,
        retries: int | None = None, pass_error: bool | None = None, cancel: Cancel | None = None,
        raw: Literal[False] = False,
    ) -> Any: ...  # fmt: skip

    @overload
    async def call(
        self, method: str, params: Params = None, *, timeout: Duration | None = None,
        retries: int | None = None, pass_error: bool | None = None, cancel: Cancel | None = None,
        raw: Literal[True],
    ) -> str: ...  # fmt: skip

    async def call(
        self,
        method: str,
        params: Params = None,
        *,
        timeout: Duration | None = None,
        retries: int | None = None,
        pass_error: bool | None = None,
        cancel: Cancel | None = None,
        raw: bool = False,
    ) -> Any:
        """Calls a method of the platform, as mailru.Session.call does."""
        request = Request("method", method, params, timeout=timeout, retries=retries, pass_error=pass_error)
        text = await self._perform(request, cancel)
        return text if raw else json.loads(text)

    async def upload(
        self,
        method: str,
        params: Params,
        field: str,
        data: FileData,
        *,
        file_name: str | None = None,
        content_type: str | None = None,
        timeout: Duration | None = None,
        retries: int | None = None,
        pass_error: bool | None = None,
        cancel: Cancel | None = None,
        progress: Callable[[Progress], object] | None = None,
        raw: bool = False,
    ) -> Any:
        """Calls a method with a file, as mailru.Session.upload does; progress is called in the loop."""
        request = Request("method", method, params, timeout=timeout, retries=retries, pass_error=pass_error)
        request.attach(field, file_name, data, content_type)
        if progress is None:
            text = await self._perform(request, cancel)
        else:
            with Cancel() if cancel is None else _Borrowed(cancel) as observed:
                text = await _observed(self._perform(request, observed), observed, progress)
        return text if raw else json.loads(text)

    async def public(
        self,
        path: str,
        params: Params = None,
        *,
        timeout: Duration | None = None,
        retries: int | None = None,
        pass_error: bool | None = None,
        cancel: Cancel | None = None,
        raw: bool = False,
    ) -> Any:
        """Reads a public page, such as "mail/nick", unsigned."""
        request = Request("public", path, params, timeout=timeout, retries=retries, pass_error=pass_error)
        text = await self._perform(request, cancel)
        return text if raw else json.loads(text)

    async def authorize(self, *, timeout: Duration | None = None, cancel: Cancel | None = None) -> Tokens:
        """Gets the tokens now, or renews them. Calls do this by themselves."""
        return Tokens.from_json(await self._perform(Request("authorize", True, timeout=timeout), cancel))

    def on_token(self, function: Callable[[Tokens], None | Awaitable[None]] | None) -> None:
        """Has a function told of every new set of tokens, before any of them is used; None removes it.

        A coroutine function runs in the running loop, and the library waits for it; another one runs on a thread of
        the library's. A call of this session in it waits for itself, in vain.
        """
        self._on_token(_in_loop(function))

    def on_renewal(self, function: Callable[[bool], None | Awaitable[None]] | None) -> None:
        """Has a function called with True before a renewal's request, and with False when it is over."""
        self._on_renewal(_in_loop(function))


class _Borrowed:
    """A cancel handle of the caller's, which stays open."""

    def __init__(self, cancel: Cancel) -> None:
        self._cancel = cancel

    def __enter__(self) -> Cancel:
        return self._cancel

    def __exit__(self, *_: object) -> None:
        pass


async def _observed(call: Any, cancel: Cancel, progress: Callable[[Progress], object]) -> str:
    task: asyncio.Task[str] = asyncio.ensure_future(call)
    last = None
    try:
        while not task.done():
            await asyncio.wait([task], timeout=0.05)
            if (now := cancel.progress()) != last:
                last = now
                progress(now)
        return task.result()
    finally:
        task.cancel()


def _in_loop(function: Callable[[Any], Any] | None) -> Callable[[Any], None] | None:
    """A coroutine function as one that runs it in the loop, and waits for it on a thread of the library's."""
    if function is None or not inspect.iscoroutinefunction(function):
        return function
    loop = asyncio.get_running_loop()

    def told(value: Any) -> None:
        if loop.is_closed():
            _logger.error("%r was not called: its loop was closed", function)
            return
        waits = asyncio.run_coroutine_threadsafe(function(value), loop)
        while True:
            try:
                waits.result(0.1)
                return
            except FutureTimeout:
                if waits.done() or loop.is_closed():
                    raise

    return told
