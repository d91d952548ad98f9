"""What goes to the library and comes back: values, errors, queues, the log."""

import copy
import datetime
import io
import json
import multiprocessing
import os
import pickle
import re
import tempfile
import threading
import time
import unittest
import warnings
from functools import partial

import mailru

import cases
from helpers import HERE, client, fail, in_thread, password, run


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


    def test_tokens_are_held_back(self):
        with password() as session:
            session.on_token(lambda _: (session.hold(), threading.Timer(0.2, session.proceed).start()))
            begun = time.monotonic()
            session.call("sandbox.echo")
            self.assertGreater(time.monotonic() - begun, 0.2)
            with self.assertRaises(mailru.InvalidArgument):
                session.hold()


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
