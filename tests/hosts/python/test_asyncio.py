"""Calls as coroutines, and what they leave behind."""

import asyncio
import contextvars
import gc
import os
import threading
import time
import unittest
import weakref

import mailru

from helpers import client, password


class Asyncio(unittest.IsolatedAsyncioTestCase):
    async def test_a_closed_session_is_an_error_and_no_cancellation(self):
        session = client(mailru.aio.Session)
        task = asyncio.create_task(session.call("sandbox.echo.slow"))
        await asyncio.sleep(0.1)
        session.close()
        with self.assertRaises(mailru.Cancelled):
            await task
        self.assertFalse(task.cancelled())

    async def test_a_thousand_calls_need_no_number_of_workers(self):
        async with client(mailru.aio.Session) as session:
            begun = time.monotonic()
            await asyncio.gather(*[session.call("sandbox.echo.together") for _ in range(300)])
            self.assertLess(time.monotonic() - begun, 15)

    async def test_contexts(self):
        variable = contextvars.ContextVar("variable", default=None)

        class Heavy:
            pass

        async def request(number):
            heavy = Heavy()
            variable.set(heavy)
            async with asyncio.timeout(5):
                await client(mailru.aio.Session).call("sandbox.echo", {"n": number})
            assert variable.get() is heavy
            return weakref.ref(heavy)

        kept = await asyncio.gather(*[asyncio.create_task(request(number)) for number in range(20)])
        kept += [await asyncio.create_task(request(0))]
        # The loop forgets its timers.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        gc.collect()
        self.assertEqual([reference() for reference in kept], [None] * 21)

        variable.set("the listener's")
        told = []
        async with password(mailru.aio.Session) as session:
            session.on_token(lambda _: told.append(variable.get()))
            await session.call("sandbox.echo")
        self.assertEqual(told, ["the listener's"])

    async def test_an_async_listener_has_returned_before_the_answer(self):
        order = []

        async def store(tokens):
            await asyncio.sleep(0.2)
            order.append("stored")

        async with password(mailru.aio.Session) as session:
            session.on_token(store)
            await session.call("sandbox.echo")
            order.append("answered")
        self.assertEqual(order, ["stored", "answered"])

    async def test_a_failing_listener_is_logged(self):
        def store(_):
            raise RuntimeError("no disk")

        async def store_later(_):
            raise RuntimeError("no disk")

        for function in [store, store_later]:
            async with password(mailru.aio.Session) as session:
                session.on_token(function)
                with self.assertLogs("mailru", "ERROR") as logs:
                    await session.call("sandbox.echo")
                self.assertIn("no disk", logs.output[0])

    async def test_without_a_descriptor_a_thread_waits(self):
        loop = asyncio.get_running_loop()
        calls = mailru.aio._calls_of(loop)
        calls._descriptor = -1
        session = client(mailru.aio.Session)
        for _ in range(3):
            await asyncio.gather(*[session.call("sandbox.echo") for _ in range(50)])
            await asyncio.sleep(0.2)
        self.assertEqual(mailru.aio.in_flight(), 0)
        end = time.monotonic() + 2
        while (waiting := [thread.name for thread in threading.enumerate() if thread.name == "mailru"]) and (
            time.monotonic() < end
        ):
            await asyncio.sleep(0.01)
        self.assertEqual(waiting, [])

    async def test_groups(self):
        session = client(mailru.aio.Session)
        with self.assertRaises(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(session.call("sandbox.echo.slow"))
                group.create_task(session.call("no.such.method"))
        await asyncio.sleep(0.1)
        self.assertEqual(mailru.aio.in_flight(), 0)


class Leaks(unittest.TestCase):
    def test_loops_leave_nothing_behind(self):
        def descriptors():
            return len(os.listdir("/proc/self/fd"))

        async def main():
            async with client(mailru.aio.Session, max_idle_connections=0) as session:
                task = asyncio.create_task(session.call("sandbox.echo.slow"))
                await session.call("sandbox.echo")
                task.cancel()

        asyncio.run(main())
        gc.collect()
        before = descriptors()
        for _ in range(20):
            asyncio.run(main())
        gc.collect()
        self.assertLess(descriptors(), before + 5)

    def test_functions_are_forgotten(self):
        class Big:
            def store(self, tokens):
                self.tokens = tokens

        big = Big()
        kept = weakref.ref(big)
        session = password()
        session.on_token(big.store)
        session.call("sandbox.echo")
        self.assertTrue(big.tokens.access_token)
        session.close()
        del big
        end = time.monotonic() + 2
        while kept() is not None and time.monotonic() < end:
            mailru._callbacks.sweep()
            time.sleep(0.01)
        self.assertIsNone(kept())
