"""Ctrl-C, and that a process ends in silence whatever is under way."""

import time
import unittest

from helpers import run


class Interrupts(unittest.TestCase):
    def test_ctrl_c_ends_a_wait_at_once(self):
        program = """
            import os, signal, sys, threading, time, mailru, helpers as t
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
            import asyncio, os, signal, threading, time, mailru, helpers as t
            threading.Timer(0.4, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            begun = time.monotonic()
            try:
                asyncio.run(t.client(mailru.aio.Session).call("sandbox.echo.slow"))
            except KeyboardInterrupt:
                print(time.monotonic() - begun)
        """
        self.assertLess(float(run(program)), 1)


class Ends(unittest.TestCase):
    """The process ends at once and in silence, whatever is under way."""

    BEGIN = """
import asyncio, logging, os, sys, threading, time, mailru, helpers as t
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
            self.assertLess(time.monotonic() - begun, 15)

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
