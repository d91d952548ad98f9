"""The cases in Python with asyncio."""

import asyncio
import pathlib
import time

import cases
import mailru
from conformance import session_of


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


async def together(session, case):
    threads = own_threads()
    count = int(case.parameters)
    tasks = [asyncio.create_task(session.call(case.method, {"tag": tag})) for tag in range(count)]
    await asyncio.sleep(0)
    # A thread of the library's that begins has not taken its name yet.
    await until(lambda: own_threads() == threads, "a call has a thread of the host's")
    assert mailru.aio.in_flight(), "too late to tell"
    for tag, answer in enumerate(await asyncio.gather(*tasks)):
        assert answer["tag"] == str(tag), answer


async def ended():
    """The library has let go of cancelled calls."""
    await until(lambda: not mailru.aio.in_flight(), "a cancelled call goes on")


async def deadline(session, case):
    try:
        async with asyncio.timeout(0.3):
            return await session.call(case.method)
    except TimeoutError:
        await ended()
        # The library's own limit, which must say the same.
        return await session.call(case.method, timeout=0.3)


async def cancelled(session, case):
    task = asyncio.create_task(session.call(case.method))
    await asyncio.sleep(0.2)
    task.cancel()
    try:
        return await task
    except asyncio.CancelledError:
        await ended()
    cancel = mailru.Cancel()
    asyncio.get_running_loop().call_later(0.2, cancel.fire)
    try:
        return await session.call(case.method, cancel=cancel)
    finally:
        await session.call("sandbox.echo")


async def renewal(session, case):
    # Never removed: a program may end like this.
    told = []

    async def store(tokens):
        await asyncio.sleep(0.01)
        told.append(tokens)

    session.on_token(store)
    await session.call("sandbox.echo")
    text = await session.call(case.method, raw=True)
    assert len(told) == 2 and told[0] != told[1] == session.tokens(), told
    return text


async def perform(case):
    async with session_of(case, mailru.aio.Session) as session:
        if case.action == "stale":
            session.close()
        if case.action in ("call", "stale"):
            return await session.call(case.method, cases.given(case.parameters), raw=True)
        if case.action == "sign":
            return session.sign(case.method, cases.given(case.parameters), raw=True)
        actions = {"together": together, "crowd": together, "deadline": deadline}
        actions |= {"cancel": cancelled, "renewal": renewal}
        return await actions[case.action](session, case)


def act(case):
    try:
        return "MAILRU_OK", asyncio.run(perform(case))
    except mailru.Error as error:
        return error.name, error.json


if __name__ == "__main__":
    cases.run(act)
