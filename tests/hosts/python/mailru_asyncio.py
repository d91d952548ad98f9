"""libmailru for asyncio: calls as coroutines, without a thread of Python's for each.

    async with Calls() as calls:
        friends = json.loads(await calls.call(session, "friends.get", {"ext": 1}))

The loop watches the descriptor of a queue and takes completions when there are some. Cancelling a task, as
asyncio.timeout does, ends its call.
"""

import asyncio
import itertools

import mailru


class Calls:
    """The calls of one event loop, of any number of sessions; to be made in it.

    workers: how many the library makes at a time; further ones wait their turn.
    """

    # What waits is kept by the loop, which has no limit; the queue need only hold it.
    _CAPACITY = 2**32 - 1

    def __init__(self, workers=0):
        self._queue = mailru.Queue(workers, self._CAPACITY)
        self._waiting, self._tags = {}, itertools.count(1)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._queue.fileno(), self._take)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.close()

    def close(self):
        """Ends the calls under way."""
        # Before the queue closes its descriptor, whose number may then be another's.
        self._loop.remove_reader(self._queue.fileno())
        self._queue.close()
        for future in self._waiting.values():
            future.cancel()

    @property
    def in_flight(self):
        """How many calls the library has, those included whose tasks were cancelled this moment."""
        return len(self._waiting)

    async def call(self, session, method, params=None):
        """Calls a method. Returns the platform's JSON, or raises mailru.Error."""
        tag, future = next(self._tags), self._loop.create_future()
        self._queue.submit(session, method, params, tag)
        self._waiting[tag] = future
        try:
            return await future
        except asyncio.CancelledError:
            self._queue.cancel(tag)
            raise

    def _take(self):
        # All that there is: the descriptor stays readable until then.
        while (completion := self._queue.next(0)) is not None:
            tag, code, text = completion
            future = self._waiting.pop(tag)
            if future.cancelled():
                continue
            if code == 0:
                future.set_result(text)
            else:
                future.set_exception(mailru.Error(code, text))
