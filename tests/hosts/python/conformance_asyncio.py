"""The cases in Python with asyncio."""

import asyncio
import pathlib
import time

import mailru

import alone
import cases
from conformance import session_of


async def call(session, case):
    return await session.call(case.method, cases.given(case.parameters), raw=True)


async def sign(session, case):
    return session.sign(case.method, cases.given(case.parameters), raw=True)


async def stale(session, case):
    session.close()
    return await call(session, case)


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


crowd = together


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


async def cancelled(awaitable):
    """Cancels a task after 200 ms."""
    task = asyncio.ensure_future(awaitable)
    await asyncio.sleep(0.2)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return await ended()
    raise AssertionError("the task was not cancelled")


async def after_200_ms(function, session, awaitable):
    """Calls a function meanwhile, which ends what is awaited; then the session is of use."""
    asyncio.get_running_loop().call_later(0.2, function)
    try:
        return await awaitable
    finally:
        await session.call("sandbox.echo")


async def cancel(session, case):
    await cancelled(session.call(case.method))
    with mailru.Cancel() as cancel:
        return await after_200_ms(cancel.fire, session, session.call(case.method, cancel=cancel))


async def session_cancel(session, case):
    return await after_200_ms(session.cancel, session, session.call(case.method))


async def queue_cancel(session, case):
    # The queue is the loop's, and a task is its tag.
    await cancelled(session.call(case.method))
    return await session_cancel(session, case)


async def queued(session, case):
    return await session.call(case.method, case.parameters, raw=True)


async def request(session, case):
    return await session.call(case.method, case.parameters, timeout=10, retries=1, pass_error=False, raw=True)


async def upload(session, case):
    told = []
    with mailru.Cancel() as cancel:
        text = await session.upload(
            case.method, case.parameters, "img_file", alone.FILE, file_name="snail.jpg", cancel=cancel,
            progress=told.append, raw=True,
        )  # fmt: skip
        alone.check_progress(cancel.progress())
        alone.check_progress(told[-1])
    return text


async def upload_cancel(session, case):
    await cancelled(session.upload(case.method, None, "img_file", alone.FILE, progress=lambda _: None))
    with mailru.Cancel() as cancel:
        awaitable = session.upload(case.method, None, "img_file", alone.FILE, cancel=cancel)
        return await after_200_ms(cancel.fire, session, awaitable)


async def public(session, case):
    return await session.public(case.method, cases.given(case.parameters), raw=True)


async def rate(session, case):
    for _ in range(int(case.parameters)):
        await session.call(case.method)


async def error(session, case):
    try:
        await session.call(case.method)
    except mailru.Error as error:
        alone.check_error(error)
        raise


async def log(session, case):
    with alone.Log(case):
        await session.call(case.method)


async def stats(session, case):
    await session.call(case.method)
    await session.call(case.method)
    return alone.dumped(session.stats())


async def renewal(session, case):
    # Never removed: a program may end like this.
    told, phases = [], []

    async def store(tokens):
        await asyncio.sleep(0.01)
        told.append(tokens)

    session.on_token(store)
    session.on_renewal(phases.append)
    await session.call("sandbox.echo")
    text = await session.call(case.method, raw=True)
    assert len(told) == 2 and told[0] != told[1] == session.tokens(), told
    await until(lambda: phases == [True, False], phases)
    return text


async def login(_, case):
    async with alone.code_session(case, mailru.aio.Session) as session:
        tokens = await session.authorize()
    async with alone.stored_session(case, mailru.aio.Session, tokens) as session:
        return await session.call(case.method, raw=True)


async def token_file(session, case):
    await session.call(case.method)
    session.close()
    async with alone.stored_session(case, mailru.aio.Session) as session:
        return await session.call(case.method, raw=True)


async def perform(case):
    action = case.action.replace("-", "_")
    if action in alone.ACTIONS:
        return alone.ACTIONS[action](case)
    if action == "login":
        return await login(None, case)
    async with session_of(case, mailru.aio.Session) as session:
        return await globals()[action](session, case)


def act(case):
    try:
        return "MAILRU_OK", asyncio.run(perform(case))
    except mailru.Error as error:
        return error.name, error.json


if __name__ == "__main__":
    cases.run(act)
