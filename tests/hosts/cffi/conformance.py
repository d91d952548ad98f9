"""The cases in Python with cffi, which reads the library's functions from the installed header itself."""

import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cffi import FFI

sys.path.append(str(Path(__file__).parents[1] / "python"))
import cases  # noqa: E402


def declarations():
    """The header without what is the preprocessor's; its constants stay."""
    command = ["pkg-config", "--variable=includedir", "mailru"]
    folder = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    text = Path(folder, "mailru.h").read_text(encoding="utf-8")
    text = re.sub(r"#ifdef __cplusplus.*?#endif.*?$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^#(?!define MAILRU_\w+ \d+$).*", "", text, flags=re.MULTILINE)


ffi = FFI()
ffi.cdef(declarations())
library = ffi.dlopen("libmailru.so.0")


class Error(Exception):
    """A failure: its code and the error's JSON."""

    def __init__(self, code, text):
        super().__init__(code, text)
        self.name, self.json = ffi.string(library.mailru_code_name(code)).decode(), text


def c(text):
    return ffi.NULL if text is None else text.encode()


def taken(pointer):
    try:
        return "" if pointer == ffi.NULL else ffi.string(pointer).decode()
    finally:
        library.mailru_string_free(pointer)


def answer(function, *arguments):
    code = ffi.new("int32_t *")
    text = taken(function(*arguments, code))
    if code[0] != library.MAILRU_OK:
        raise Error(code[0], text)
    return text


class Session:
    """A session of a constructor named in the header."""

    def __init__(self, constructor, *texts):
        error = ffi.new("char **")
        self.number = getattr(library, constructor)(*map(c, texts), error)
        if self.number == 0:
            raise Error(library.MAILRU_INVALID_ARGUMENT, taken(error[0]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        library.mailru_session_free(self.number)

    def call(self, method, params=None, timeout_ms=0, cancel=0):
        return answer(library.mailru_call_within, self.number, c(method), c(params), timeout_ms, cancel)

    def sign(self, method, params=None):
        return answer(library.mailru_sign, self.number, c(method), c(params))

    def tokens(self):
        return answer(library.mailru_tokens, self.number)


def session_of(case):
    options = cases.given(case.options)
    if case.circuit == "client":
        credentials = cases.APP_ID, cases.PRIVATE_KEY, cases.SESSION_KEY, cases.UID
        return Session("mailru_client_session_new", *credentials, options)
    if case.circuit == "server":
        credentials = cases.APP_ID, cases.SECRET_KEY, cases.SESSION_KEY
        return Session("mailru_server_session_new", *credentials, options)
    credentials = cases.APP_ID, cases.PRIVATE_KEY, cases.EMAIL, cases.PASSWORD
    return Session("mailru_password_client_session_new", *credentials, None, options)


def together(session, case):
    with ThreadPoolExecutor(int(case.parameters)) as pool:
        call = lambda tag: session.call(case.method, f'{{"tag":{tag}}}')  # noqa: E731
        for tag, text in enumerate(pool.map(call, range(int(case.parameters)))):
            assert f'"tag":"{tag}"' in text, text


def crowd(session, case):
    calls = int(case.parameters)
    queue = library.mailru_queue_new(calls, calls, ffi.NULL)
    for tag in range(calls):
        params = c(f'{{"tag":{tag}}}')
        code = library.mailru_queue_submit(queue, session.number, c(case.method), params, tag, ffi.NULL)
        assert code == library.MAILRU_OK
    tag, missing = ffi.new("uint64_t *"), set(range(calls))
    while missing:
        text = answer(library.mailru_queue_next, queue, 30_000, tag)
        missing.remove(tag[0])
        assert f'"tag":"{tag[0]}"' in text, text
    library.mailru_queue_free(queue)


def cancelled(session, case):
    cancel = library.mailru_cancel_new()
    threading.Timer(0.2, library.mailru_cancel_fire, [cancel]).start()
    try:
        return session.call(case.method, cancel=cancel)
    finally:
        library.mailru_cancel_free(cancel)
        session.call("sandbox.echo")


@ffi.callback("mailru_token_callback")
def remember(user_data, tokens):
    ffi.from_handle(user_data).append(ffi.string(tokens).decode())


def renewal(session, case):
    told = []
    handle = ffi.new_handle(told)
    library.mailru_session_on_token(session.number, remember, handle, ffi.NULL)
    session.call("sandbox.echo")
    text = session.call(case.method)
    library.mailru_session_on_token(session.number, ffi.NULL, ffi.NULL, ffi.NULL)
    assert len(told) == 2 and told[0] != told[1] == session.tokens(), told
    return text


def act(case):
    try:
        with session_of(case) as session:
            parameters = cases.given(case.parameters)
            if case.action == "stale":
                library.mailru_session_free(session.number)
            if case.action in ("call", "stale"):
                text = session.call(case.method, parameters)
            elif case.action == "sign":
                text = session.sign(case.method, parameters)
            elif case.action == "deadline":
                text = session.call(case.method, parameters, timeout_ms=300)
            else:
                actions = {"together": together, "crowd": crowd, "cancel": cancelled, "renewal": renewal}
                text = actions[case.action](session, case)
    except Error as error:
        return error.name, error.json
    return "MAILRU_OK", text


if __name__ == "__main__":
    cases.run(act)
