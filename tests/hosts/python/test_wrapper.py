"""What the package promises beyond the cases. Runs with unittest, against the sandbox that the environment names."""

import asyncio
import contextvars
import copy
import datetime
import gc
import io
import json
import multiprocessing
import os
import pickle
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import cases
import mailru

OPTIONS = os.environ["MAILRU_OPTIONS"]
HERE = os.path.dirname(os.path.abspath(__file__))


def client(kind=mailru.Session, **options):
    return kind.client(cases.APP_ID, cases.PRIVATE_KEY, cases.SESSION_KEY, cases.UID, options=OPTIONS, **options)


def password(kind=mailru.Session, **options):
    credentials = cases.APP_ID, cases.PRIVATE_KEY, cases.EMAIL, cases.PASSWORD
    return kind.password_client(*credentials, options=OPTIONS, **options)


def fail(_):
    """Runs in a process of a pool."""
    client().call("no.such.method")


class Values(unittest.TestCase):
    def test_texts_are_checked_before_they_reach_the_library(self):
        for wrong, kind in [(423004, TypeError), (b"423004", TypeError), ("4\0", ValueError), ("\udc80", ValueError)]:
            with self.assertRaises(kind):
                mailru.Session.client(wrong, "key", "token", "1")
            with self.assertRaises(kind), client() as session:
                session.sign(wrong)
        with client() as session:
            for wrong in [5, None, b"friends.get"]:
                with self.assertRaises(TypeError):
                    session.call(wrong)
            for wrong in [5, [1], {1: 2}, {"a": {1}}, {"a": object()}]:
                with self.assertRaises(TypeError):
                    session.call("friends.get", wrong)
            with self.assertRaises(mailru.InvalidArgument):
                session.call("friends.get", {"a": float("nan")})
            with self.assertRaises(mailru.InvalidArgument):
                session.call("friends.get", '{"a":1},"authorize":true')
            with self.assertRaises(mailru.Error):
                session.call("friends.get\0")

    def test_durations(self):
        for wrong in [0, -1, float("nan"), float("inf")]:
            with self.assertRaises(mailru.InvalidArgument) as caught:
                client(timeout=wrong)
            self.assertEqual(caught.exception.argument, "timeout")
        for wrong in ["5", True]:
            with self.assertRaises(TypeError):
                client(timeout=wrong)
        with client(timeout=datetime.timedelta(seconds=5), connect_timeout=2, retry_delay=0.1) as session:
            begun = time.monotonic()
            with self.assertRaises(mailru.Timeout):
                session.call("sandbox.echo.slow", timeout=0.0001)
            self.assertLess(time.monotonic() - begun, 1)
            with self.assertRaises(TimeoutError):
                session.call("sandbox.echo.slow", timeout=datetime.timedelta(milliseconds=20))

    def test_every_option_is_a_keyword(self):
        with self.assertRaisesRegex(mailru.InvalidArgument, "known options: .*connect_timeout,") as caught:
            client(tiemout=5)
        self.assertEqual(caught.exception.argument, "tiemout")
        known = set(mailru.TokenOptions.__annotations__) | set(mailru.Options.__annotations__)
        with open(os.path.join(HERE, "../../../src/option_names.in"), encoding="utf-8") as file:
            names = {name.removesuffix("_ms") for name in re.findall(r'^ +"(\w+)" = ', file.read(), re.MULTILINE)}
        self.assertEqual(known, names)

    def test_answers_are_objects_and_ids_keep_their_digits(self):
        with client() as session:
            echo = session.call("sandbox.echo", {"id": 2**64 - 1, "ids": [2**63, 1]})
            self.assertEqual((echo["id"], echo["ids"]), (str(2**64 - 1), f"{2**63},1"))
            self.assertIsInstance(session.call("friends.get"), list)
            self.assertIsInstance(session.call("friends.get", raw=True), str)

    def test_uploads_of_every_kind_of_bytes(self):
        content = bytes(range(256)) * 500
        with tempfile.NamedTemporaryFile(suffix=".jpg") as file, client() as session:
            file.write(content)
            file.seek(0)
            kinds = [content, bytearray(content), memoryview(content), memoryview(bytearray(content))[::1], file]
            kinds += [io.BytesIO(content), memoryview(content)[::-1], b"", bytearray()]
            for data in kinds:
                for where in (lambda work: work(), in_thread):
                    if hasattr(data, "seek"):
                        data.seek(0)
                    upload = partial(session.upload, "photos.upload", {"aid": "_myphoto"}, "img_file", data)
                    answer = where(upload)
                    self.assertIn("pid", answer)
            for wrong in ["text", io.StringIO("text"), 5]:
                with self.assertRaises(TypeError):
                    session.upload("photos.upload", None, "img_file", wrong)

    def test_tokens_hide_their_secrets(self):
        tokens = mailru.Tokens("secret", "also", 60, 1_900_000_000, "1")
        self.assertNotIn("secret", repr(tokens) + str(tokens))
        self.assertEqual(mailru.Tokens.from_json(tokens.to_json()), tokens)
        self.assertEqual(tokens.expires.year, 2030)
        self.assertNotIn(cases.SESSION_KEY, repr(client()))


def in_thread(work):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


class Queues(unittest.TestCase):
    def test_a_failed_call_keeps_its_tag_and_a_closed_queue_is_an_error(self):
        with client() as session, mailru.Queue(in_flight=3) as queue:
            queue.submit(session, "no.such.method", tag=2**64 - 1)
            completion = queue.next()
            self.assertEqual(completion.tag, 2**64 - 1)
            with self.assertRaises(mailru.ApiError):
                completion.result()
            queue.submit_public(session, "mail/demo", tag=1)
            self.assertIn("uid", queue.next(10).result())
            queue.submit_upload(session, "photos.upload", {"aid": "_myphoto"}, "img_file", b"x", tag=2)
            queue.submit_authorize(session, tag=3)
            self.assertEqual({queue.next(10).tag, queue.next(10).tag}, {2, 3})
            for timeout in [0, 0.0001, 0.05]:
                begun = time.monotonic()
                self.assertIsNone(queue.next(timeout))
                self.assertLess(time.monotonic() - begun, timeout + 0.5)
            for wrong in [-1, float("nan")]:
                with self.assertRaises(ValueError):
                    queue.next(wrong)
            threading.Timer(0.1, queue.close).start()
            with self.assertRaises(mailru.InvalidHandle):
                queue.next()


class Errors(unittest.TestCase):
    def test_they_can_be_pickled_and_copied(self):
        for code in [1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 24, 30, 31, 99]:
            members = {"error_code": -code, "error_msg": "я", "transient": True, "retry_after_ms": 1500, "sent": False}
            error = mailru._errors.error_of(code, json.dumps({"error": members}))
            self.assertEqual(error.name.removeprefix("MAILRU_").replace("_", "").lower(), type(error).__name__.lower())
            for other in [pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)]:
                self.assertIs(type(other), type(error))
                self.assertEqual(other.__dict__, error.__dict__)
            self.assertEqual((error.message, error.transient, error.retry_after), ("я", True, 1.5))

    def test_a_platform_error_crosses_a_pool(self):
        for method in ["fork", "spawn"]:
            with warnings.catch_warnings():
                # Python 3.12 and later say so of each fork beside threads.
                warnings.simplefilter("ignore", DeprecationWarning)
                self.fails_in_pool(method)

    def fails_in_pool(self, method):
        with multiprocessing.get_context(method).Pool(2) as pool:
            for error in [pool.map_async(fail, range(4)), pool.apply_async(fail, [1])]:
                with self.assertRaises(mailru.ApiError) as caught:
                    error.get(30)
                self.assertEqual(caught.exception.number, 2)

    def test_members(self):
        with self.assertRaises(mailru.NetworkError) as caught:
            mailru.Session.anonymous(public_url="http://127.0.0.1:1/x", retries=0).public("mail/demo")
        error = caught.exception
        self.assertIsInstance(error, ConnectionError)
        self.assertEqual((error.code, error.number, error.sent, error.transient), (20, -20, False, True))
        self.assertIn("127.0.0.1", str(error))

    def test_handles_cannot_be_copied(self):
        for handle in [client(), mailru.Queue(), mailru.Cancel(), client(mailru.aio.Session)]:
            for work in [pickle.dumps, copy.copy, copy.deepcopy]:
                with self.assertRaisesRegex(TypeError, "process"):
                    work(handle)


class Interrupts(unittest.TestCase):
    def test_ctrl_c_ends_a_wait_at_once(self):
        program = """
            import os, signal, sys, threading, time, mailru, test_wrapper as t
            session, queue = t.client(), mailru.Queue()
            for wait in [lambda: session.call("sandbox.echo.slow"), lambda: queue.next(),
                         lambda: session.upload("sandbox.echo.slow", None, "f", bytes(10))]:
                sent = []
                def send():
                    time.sleep(0.3); sent.append(time.monotonic()); os.kill(os.getpid(), signal.SIGINT)
                threading.Thread(target=send).start()
                try:
                    wait()
                except KeyboardInterrupt:
                    print(time.monotonic() - sent[0])
                print(session.call("sandbox.echo")["method"])
        """
        lines = run(program).split()
        for late, method in zip(lines[::2], lines[1::2]):
            self.assertLess(float(late), 0.1)
            self.assertEqual(method, "sandbox.echo")
        self.assertEqual(len(lines), 6)

    def test_ctrl_c_ends_asyncio(self):
        program = """
            import asyncio, os, signal, threading, time, mailru, test_wrapper as t
            threading.Timer(0.4, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            begun = time.monotonic()
            try:
                asyncio.run(t.client(mailru.aio.Session).call("sandbox.echo.slow"))
            except KeyboardInterrupt:
                print(time.monotonic() - begun)
        """
        self.assertLess(float(run(program)), 1)


def run(program, status=0, **environment):
    """Runs a program in a process of its own, which may print nothing to its standard error."""
    lines = program.strip("\n").split("\n")
    indent = len(lines[0]) - len(lines[0].lstrip())
    text = "\n".join(line[indent:] for line in lines)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([HERE, os.environ.get("PYTHONPATH", "")]), **environment}
    done = subprocess.run(
        [sys.executable, "-B", "-c", text], capture_output=True, timeout=60, env=environment, text=True
    )
    assert done.returncode == status and not done.stderr, (done.returncode, done.stdout, done.stderr)
    return done.stdout


class Ends(unittest.TestCase):
    """The process ends at once and in silence, whatever is under way."""

    BEGIN = """
import asyncio, logging, os, sys, threading, time, mailru, test_wrapper as t
mailru.set_log(lambda level, line: time.sleep(0.001))
logging.getLogger("mailru").addHandler(logging.NullHandler())
session = t.password()
def store(tokens): time.sleep(0.05)
session.on_token(store); session.on_renewal(store)
def busy():
    while True:
        try: session.call("sandbox.echo"); t.client().call("sandbox.echo.together", timeout=0.05)
        except mailru.Error: pass
for _ in range(4): threading.Thread(target=busy, daemon=True).start()
threading.Thread(target=session.call, args=["sandbox.echo.slow"], daemon=True).start()
"""

    def ends(self, end, status=0, times=5):
        for attempt in range(times):
            begun = time.monotonic()
            run(self.BEGIN + f"time.sleep({attempt / 40 + 0.01})\n" + end, status)
            self.assertLess(time.monotonic() - begun, 5)

    def test_at_the_end_of_the_program(self):
        self.ends("", times=8)

    def test_by_sys_exit_in_a_coroutine(self):
        self.ends(
            """
async def main():
    s = t.password(mailru.aio.Session)
    async def save(tokens): await asyncio.sleep(0.01)
    s.on_token(save)
    tasks = [asyncio.create_task(s.call("sandbox.echo.slow")) for _ in range(10)]
    await asyncio.sleep(0.05)
    sys.exit(3)
try: asyncio.run(main())
except asyncio.CancelledError: pass
""",
            3,
        )

    def test_in_a_forked_child(self):
        self.ends("""
import warnings
# Python 3.12 and later say so of each fork beside threads.
warnings.simplefilter("ignore", DeprecationWarning)
pid = os.fork()
if pid == 0:
    session.call("sandbox.echo")
    t.client().call("sandbox.echo")
    sys.exit(0)
assert os.waitpid(pid, 0)[1] == 0
""")

    def test_while_tokens_are_awaited_whose_session_is_closed(self):
        self.ends("""
other = t.password(); other.on_token(store)
def call():
    try: other.call("sandbox.echo")
    except mailru.Error: pass
threading.Thread(target=call, daemon=True).start()
time.sleep(0.005); other.close()
""")


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
            self.assertLess(time.monotonic() - begun, 5)

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


class Log(unittest.TestCase):
    def test_logger(self):
        with self.assertLogs("mailru", "DEBUG") as logs:
            mailru.set_log()
            client().call("sandbox.echo.logged")
            mailru.set_log(None)
        self.assertTrue(any("method=sandbox.echo.logged" in line for line in logs.output), logs.output)

    def test_what_a_function_raises_does_not_replace_the_answer(self):
        def tell(level, line):
            raise RuntimeError("no log")

        with self.assertLogs("mailru", "ERROR"):
            mailru.set_log(tell)
            self.assertEqual(client().call("sandbox.echo")["method"], "sandbox.echo")
            mailru.set_log(None)


class Found(unittest.TestCase):
    def test_the_error_lists_what_was_tried(self):
        program = "try: import mailru\nexcept ImportError as error: print(error)"
        text = run(program, MAILRU_LIBRARY="/nowhere/libmailru.so")
        self.assertIn("/nowhere/libmailru.so: ", text)
        self.assertIn("MAILRU_LIBRARY", text)
        text = run(program, MAILRU_LIBRARY="", LD_LIBRARY_PATH="")
        self.assertIn("libmailru.so.0", text)


if __name__ == "__main__":
    unittest.main()
