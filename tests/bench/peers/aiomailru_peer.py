"""aiomailru, the Python client: the arguments, variables and output of slice.c."""

import asyncio
import json
import os
import resource
import ssl
import sys
import time

import aiohttp
from aiomailru import API, ClientSession


class Session(ClientSession):
    """Its session, pointed at the server of the benchmark."""

    API_URL = os.environ["BENCH_URL"]


async def perform(api, name, params, counter, until_count):
    """Performs calls until told to stop."""
    while not counter["over"] and counter["calls"] < until_count:
        await api(name, **params)
        counter["calls"] += 1


def peak_kb():
    """The most memory that was resident, by the kernel's own record."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


async def main(tasks, mode, amount, warm_up=0.1):
    """Runs one slice and prints what was measured."""
    context = ssl.create_default_context(cafile=os.environ["BENCH_CA_FILE"]) if "BENCH_CA_FILE" in os.environ else None
    connector = aiohttp.TCPConnector(limit=tasks, ssl=context if context else True)
    session = Session(os.environ["BENCH_APP_ID"], os.environ["BENCH_PRIVATE_KEY"], os.environ["BENCH_ACCESS_TOKEN"],
                      os.environ["BENCH_UID"], session=aiohttp.ClientSession(connector=connector))
    params = json.loads(os.environ["BENCH_PARAMS"])
    counter = {"calls": 0, "over": False}
    most = amount if mode == "calls" else float("inf")
    running = [asyncio.create_task(perform(API(session), os.environ["BENCH_METHOD"], params, counter, most))
               for _ in range(tasks)]
    report = {"seconds": 0, "user": 0, "system": 0}
    calls_before = 0
    if mode == "seconds":
        await asyncio.sleep(warm_up)
        while counter["calls"] < tasks:
            await asyncio.sleep(0.001)
        calls_before, before, begun = counter["calls"], resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        await asyncio.sleep(amount)
        report["calls"], report["seconds"] = counter["calls"] - calls_before, time.monotonic() - begun
        after = resource.getrusage(resource.RUSAGE_SELF)
        report |= {"user": after.ru_utime - before.ru_utime, "system": after.ru_stime - before.ru_stime}
        counter["over"] = True
    await asyncio.gather(*running)
    report.setdefault("calls", counter["calls"])
    await session.close()
    print(json.dumps(report | {"peak_kb": peak_kb(), "threads": len(os.listdir("/proc/self/task"))}))


asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), *map(float, sys.argv[4:])))
