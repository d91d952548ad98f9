"""The cases in Python with asyncio."""

import asyncio
import pathlib
import time

import cases
import mailru
from conformance import session_of
from mailru_asyncio import Calls


def own_threads():
    """How many threads this process has besides the library's."""
    def is_own(task):
        try:
            return not (task / "comm").read_text().startswith("mailru-")
        except OSError:  # It ended since it was listed.
            return False

    return sum(map(is_own, pathlib.Path("/proc/self/task").iterdir()))


async def until(holds, otherwise):
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() < begun + 2, otherwise
        await asyncio.sleep(0.01)


async def together(calls, session, case):
    threads = own_threads()
    count = int(case.parameters)
    tasks = [asyncio.create_task(calls.call(session, case.method, {"tag": tag})) for tag in range(count)]
    await asyncio.sleep(0)
    # A thread of the library's that begins has not taken its name yet.
    await until(lambda: own_threads() == threads, "a call has a thread of the host's")
    assert calls.in_flight, "too late to tell"
    for tag, text in enumerate(await asyncio.gather(*tasks)):
        assert f'"tag":"{tag}"' in text, text


async def ended(calls):
    """The library has let go of cancelled calls."""
    await until(lambda: not calls.in_flight, "a cancelled call goes on")


async def deadline(calls, session, case):
    try:
        async with asyncio.timeout(0.3):
            return await calls.call(session, case.method)
    except TimeoutError:
        await ended(calls)
        # asyncio's own name for it.
        raise mailru.Error(21, "") from None


async def cancelled(calls, session, case):
    task = asyncio.create_task(calls.call(session, case.method))
    await asyncio.sleep(0.2)
    task.cancel()
    try:
        return await task
    except asyncio.CancelledError:
        await ended(calls)
        await calls.call(session, "sandbox.echo")
        raise mailru.Error(23, "") from None


async def renewal(calls, session, case):
    # Never removed: a program may end like this.
    told = []
    session.on_token(told.append)
    await calls.call(session, "sandbox.echo")
    text = await calls.call(session, case.method)
    assert len(told) == 2 and told[0] != told[1] == session.tokens(), told
    return text


async def perform(case):
    async with Calls(workers=200) as calls:
        with session_of(case) as session:
            if case.action == "stale":
                session.close()
            if case.action in ("call", "stale"):
                return await calls.call(session, case.method, cases.given(case.parameters))
            if case.action == "sign":
                return session.sign(case.method, cases.given(case.parameters))
            actions = {"together": together, "crowd": together, "deadline": deadline}
            actions |= {"cancel": cancelled, "renewal": renewal}
            return await actions[case.action](calls, session, case)


def act(case):
    try:
        return "MAILRU_OK", asyncio.run(perform(case))
    except mailru.Error as error:
        return error.name, error.json


if __name__ == "__main__":
    cases.run(act)
