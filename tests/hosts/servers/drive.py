"""Drives a site: the login, 500 requests at once, again and again, and a stop while calls are in flight.

    python3 drive.py COMMAND [ARGUMENT...]

The command finds the port to listen on in PORT and a file for tokens in TOKENS. What it leaks, fails or says about
exceptions fails this program.
"""

import asyncio
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from urllib.parse import urlsplit

REQUESTS, ROUNDS = 500, 3
#: Room for allocators and caches; what leaks with each request is more within the rounds.
MORE_BYTES, MORE_DESCRIPTORS = 12_000_000, 20


async def get(url, cookies="", limit=60):
    """Status, headers and body of a page."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**20)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    head = f"GET {path} HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\nCookie: {cookies}\r\n\r\n"
    writer.write(head.encode())
    try:
        answer = await asyncio.wait_for(reader.read(-1), limit)
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    status = lines[0].split(" ")
    return int(status[1]) if len(status) > 1 else 0, headers, body.decode(errors="replace")


def family(pid):
    """The process and those that it started."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(child) for child in children.read_text().split()] if children.exists() else []
    return [pid, *(other for child in found for other in family(child))]


def burden(pid):
    """Resident bytes and open descriptors of a family."""
    pages = descriptors = 0
    for member in family(pid):
        pages += int(pathlib.Path(f"/proc/{member}/statm").read_text().split()[1])
        descriptors += len(os.listdir(f"/proc/{member}/fd"))
    return pages * os.sysconf("SC_PAGE_SIZE"), descriptors


async def drive(server, base, sandbox):
    end = time.monotonic() + 30
    while True:
        assert server.poll() is None, "the server did not start"
        try:
            status, headers, _ = await get(f"{base}/login")
            break
        except OSError:
            assert time.monotonic() < end, "the server does not listen"
            await asyncio.sleep(0.1)
    assert status in (302, 307), status
    cookie = headers["set-cookie"].partition(";")[0]
    # The platform's page, where the user says yes; then the browser comes back.
    status, headers, body = await get(f"{sandbox}/oauth/authorize?{urlsplit(headers['location']).query}")
    assert status in (302, 303, 307), (status, body)
    status, _, body = await get(f"{base}/callback?{urlsplit(headers['location']).query}", cookie)
    assert (status, body) == (200, "welcome"), (status, body)
    forged = await get(f"{base}/callback?code=another&state=forged", cookie)
    assert forged[0] == 502, forged

    before = None
    for number in range(ROUNDS):
        begun = time.monotonic()
        answers = await asyncio.gather(*[get(f"{base}/friends") for _ in range(REQUESTS)])
        bad = [answer for answer in answers if answer[0] != 200 or "15410773191172635989" not in answer[2]]
        assert not bad, (len(bad), bad[0])
        bytes_now, descriptors = burden(server.pid)
        print(f"{REQUESTS} in {time.monotonic() - begun:.1f} s, {bytes_now >> 20} MB, {descriptors} descriptors")
        if number == 1:
            before = bytes_now, descriptors
    assert bytes_now - before[0] < MORE_BYTES, "memory leaks"
    assert descriptors - before[1] < MORE_DESCRIPTORS, "descriptors leak"

    waiting = [asyncio.create_task(get(f"{base}/slow", limit=20)) for _ in range(20)]
    await asyncio.sleep(0.7)
    assert not any(task.done() for task in waiting), [task.result() for task in waiting if task.done()]
    begun = time.monotonic()
    server.send_signal(signal.SIGTERM)
    await asyncio.gather(*waiting, return_exceptions=True)
    server.wait(20)
    print(f"stopped after {time.monotonic() - begun:.1f} s with {server.returncode}")
    assert server.returncode in (0, -signal.SIGTERM), server.returncode


def main():
    # Flask's and Node's servers listen before they are asked, so a free port of a moment ago will do.
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sandbox = json.loads(os.environ["MAILRU_OPTIONS"])["token_url"].removesuffix("/oauth/token")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as log:
        environment = {**os.environ, "PORT": str(port), "TOKENS": f"{folder}/tokens.json"}
        command = [word.replace("$PORT", str(port)) for word in sys.argv[1:]]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            asyncio.run(drive(server, f"http://127.0.0.1:{port}", sandbox))
            log.seek(0)
            text = log.read()
            for word in ["Traceback", "Exception", "SIGKILL", "was sent SIG", "Warning", "libmailru:"]:
                assert word not in text, f"the server said {word}"
        except BaseException:
            log.seek(0)
            print(log.read()[-6000:])
            raise
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
