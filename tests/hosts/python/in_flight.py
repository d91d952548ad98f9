"""Thousands of calls of one event loop in flight at once: `in_flight.py CALLS`, against the sandbox of the environment."""

import asyncio
import json
import os
import sys
import urllib.request

import cases
import mailru

CONTROL = os.environ["MAILRU_SANDBOX_CONTROL"]
CALLS = int(sys.argv[1])


def control(path, body=None):
    with urllib.request.urlopen(f"{CONTROL}/sandbox/{path}", data=body) as answer:
        return json.load(answer)


async def main():
    mailru.aio.limit_in_flight(CALLS)
    async with mailru.aio.Session.client(
        cases.APP_ID, cases.PRIVATE_KEY, cases.SESSION_KEY, cases.UID, options=os.environ["MAILRU_OPTIONS"], timeout=240
    ) as session:
        calls = [asyncio.create_task(session.call("sandbox.echo.held", {"number": number})) for number in range(CALLS)]
        while (held := control("stats")["held"]) < CALLS:
            assert not any(call.done() for call in calls), next(call for call in calls if call.done()).exception()
            await asyncio.sleep(0.1)
        assert held == mailru.aio.in_flight() == CALLS, held
        threads = len(os.listdir("/proc/self/task"))
        print(f"measured: asyncio: {CALLS} calls in flight, {threads} threads")
        # Python's own, and the queue's.
        assert threads == 2, threads
        assert control("release", b"{}")["released"] == CALLS
        answers = await asyncio.gather(*calls)
        assert [answer["number"] for answer in answers] == [str(number) for number in range(CALLS)]


asyncio.run(main())
