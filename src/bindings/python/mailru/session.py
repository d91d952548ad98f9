"""Sessions for threads, and queues."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, overload

from ._calls import SLICE_MS, Cancel, Handle, Request, made, perform, submit, take
from ._errors import InvalidHandle, check, error_of
from ._library import library
from ._sessions import BaseSession
from ._values import Duration, FileData, Params, Progress, Tokens


class Session(BaseSession):
    """An application's keys and a user's tokens, for programs with threads: calls wait for their answers.

    A session serves many threads at once. Ctrl-C ends a wait of the main thread within 0.1 seconds.

        with mailru.Session.client(app_id, private_key, access_token, uid) as session:
            friends = session.call("friends.get", {"ext": 1})
    """

    @overload
    def call(
        self, method: str, params: Params = None, *, timeout: Duration | None = None,
        retries: int | None = None, pass_error: bool | None = None, cancel: Cancel | None = None,
        raw: Literal[False] = False,
    ) -> Any: ...  # fmt: skip

    @overload
    def call(
        self, method: str, params: Params = None, *, timeout: Duration | None = None,
        retries: int | None = None, pass_error: bool | None = None, cancel: Cancel | None = None,
        raw: Literal[True],
    ) -> str: ...  # fmt: skip

    def call(
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
        """Calls a method of the platform: its answer as Python's objects, or with raw=True as the platform's text.

        Integers keep all their digits. timeout, retries and pass_error hold for this call in place of the session's.
        """
        request = Request("method", method, params, timeout=timeout, retries=retries, pass_error=pass_error)
        text = perform(self._number, request, cancel)
        return text if raw else json.loads(text)

    def upload(
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
        """Calls a method with a file: bytes, bytearray, memoryview, or a file opened for reading bytes.

        progress is called now and then, on this thread, with how much was sent.
        """
        request = Request("method", method, params, timeout=timeout, retries=retries, pass_error=pass_error)
        request.attach(field, file_name, data, content_type)
        text = perform(self._number, request, cancel, progress)
        return text if raw else json.loads(text)

    def public(
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
        text = perform(self._number, request, cancel)
        return text if raw else json.loads(text)

    def authorize(self, *, timeout: Duration | None = None, cancel: Cancel | None = None) -> Tokens:
        """Gets the tokens now, or renews them. Calls do this by themselves."""
        return Tokens.from_json(perform(self._number, Request("authorize", True, timeout=timeout), cancel))

    def on_token(self, function: Callable[[Tokens], None] | None) -> None:
        """Has a function told of every new set of tokens, before any of them is used; None removes it.

        It runs on a thread of the library's: store the tokens and return. A call of this session in it is Reentered.
        It, and what it mentions, is kept until it is removed or the session is closed. What it raises is logged.
        """
        self._on_token(function)

    def on_renewal(self, function: Callable[[bool], None] | None) -> None:
        """Has a function called with True before a renewal's request, and with False when it is over.

        Processes that share tokens in a database take their lock in it, load the tokens and hand them to set_tokens():
        if they serve, no request is made.
        """
        self._on_renewal(function)


@dataclass(frozen=True)
class Completion:
    """What became of a submission."""

    tag: int
    code: int
    #: The answer's JSON, or the error's.
    json: str

    def result(self, raw: bool = False) -> Any:
        """The answer, or raises its error."""
        if self.code != 0:
            raise error_of(self.code, self.json)
        return self.json if raw else json.loads(self.json)


class Queue(Handle):
    """Many calls for few threads: submit them, and take completions as they come.

    in_flight: how many calls are made at once; 0 for 64. capacity: how many submissions it holds; 0 for 1024.
    """

    def __init__(self, in_flight: int = 0, capacity: int = 0) -> None:
        """Makes a queue. No thread is started before the first submission."""
        for name, number in ("in_flight", in_flight), ("capacity", capacity):
            if not 0 <= number < 2**32:
                raise ValueError(f"{name} must be between 0 and {2**32 - 1}, not {number}")
        super().__init__(made(library.mailru_queue_new, in_flight, capacity), library.mailru_queue_free)

    def submit(
        self,
        session: BaseSession,
        method: str,
        params: Params = None,
        *,
        tag: int,
        timeout: Duration | None = None,
        retries: int | None = None,
        pass_error: bool | None = None,
        cancel: Cancel | None = None,
    ) -> None:
        """Hands a call to the queue and returns at once."""
        request = Request("method", method, params, timeout=timeout, retries=retries, pass_error=pass_error)
        self._submit(session, request, tag, cancel)

    def submit_upload(
        self,
        session: BaseSession,
        method: str,
        params: Params,
        field: str,
        data: FileData,
        *,
        tag: int,
        file_name: str | None = None,
        content_type: str | None = None,
        timeout: Duration | None = None,
        cancel: Cancel | None = None,
    ) -> None:
        """Hands an upload to the queue; the bytes are copied."""
        request = Request("method", method, params, timeout=timeout)
        request.attach(field, file_name, data, content_type)
        self._submit(session, request, tag, cancel)

    def submit_public(
        self,
        session: BaseSession,
        path: str,
        params: Params = None,
        *,
        tag: int,
        timeout: Duration | None = None,
        cancel: Cancel | None = None,
    ) -> None:
        """Hands the reading of a public page to the queue."""
        self._submit(session, Request("public", path, params, timeout=timeout), tag, cancel)

    def submit_authorize(
        self, session: BaseSession, *, tag: int, timeout: Duration | None = None, cancel: Cancel | None = None
    ) -> None:
        """Hands an authorization to the queue; its completion holds the tokens."""
        self._submit(session, Request("authorize", True, timeout=timeout), tag, cancel)

    def _submit(self, session: BaseSession, request: Request, tag: int, cancel: Cancel | None) -> None:
        if not 0 <= tag < 2**64:
            raise ValueError(f"tag must be between 0 and 2**64 - 1, not {tag}")
        submit(self._number, session._number, request, 0 if cancel is None else cancel._number, tag)

    def next(self, timeout: float | None = None) -> Completion | None:
        """The next completion; None if there was none within timeout seconds. 0 does not wait, None waits for one.

        Ctrl-C ends the wait of the main thread.
        """
        left = math.inf if timeout is None else timeout * 1000
        if not left >= 0:
            raise ValueError(f"timeout must not be negative: {timeout}")
        while True:
            wait = math.ceil(min(left, SLICE_MS))
            found = take(self._number, wait)
            if found is not None:
                completion = Completion(*found)
                # No call ends like that: it is the queue that was closed, or stayed with the parent process.
                if completion.code == InvalidHandle.CODE:
                    completion.result()
                return completion
            left -= max(wait, 1)
            if left <= 0:
                return None

    def cancel(self, tag: int) -> None:
        """Completes what bears this tag as Cancelled."""
        check(library.mailru_queue_cancel(self._number, tag), "mailru_queue_cancel")

    def fileno(self) -> int:
        """A descriptor that is readable while a completion waits, for selectors. It belongs to the queue."""
        number: int = library.mailru_queue_fd(self._number)
        if number < 0:
            raise OSError("the queue is closed, no descriptor is left, or the system has none (Windows)")
        return number
