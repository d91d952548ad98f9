"""What the tests of the package share. They run with unittest, against the sandbox that the environment names."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import mailru

import cases

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


def in_thread(work):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


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
