"""The cases in Python with cffi, which reads the library's functions from the installed header itself."""

import json
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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


def request_json(case, file=None):
    request = {"method": case.method, "params": json.loads(cases.given(case.parameters) or "{}")}
    return c(json.dumps(request | ({} if file is None else {"file": file})))


def request(session, case):
    return answer(library.mailru_request, session.number, request_json(case), ffi.NULL, 0, 0)


def queued(session, case):
    queue, tag = library.mailru_queue_new(0, 0, ffi.NULL), ffi.new("uint64_t *")
    try:
        arguments = request_json(case), ffi.NULL, 0, 0, 7, ffi.NULL
        assert library.mailru_queue_request(queue, session.number, *arguments) == library.MAILRU_OK
        text = answer(library.mailru_queue_next, queue, 30_000, tag)
        assert tag[0] == 7
        return text
    finally:
        library.mailru_queue_free(queue)


@contextmanager
def after_200_ms(session, function, *arguments):
    """Calls a function meanwhile, which ends what runs; then the session is of use."""
    timer = threading.Timer(0.2, function, arguments)
    timer.start()
    try:
        yield
    finally:
        timer.join()
        session.call("sandbox.echo")


@contextmanager
def cancel_handle():
    handle = library.mailru_cancel_new()
    try:
        yield handle
    finally:
        library.mailru_cancel_free(handle)


def cancel(session, case):
    with cancel_handle() as handle, after_200_ms(session, library.mailru_cancel_fire, handle):
        return session.call(case.method, cancel=handle)


def session_cancel(session, case):
    with after_200_ms(session, library.mailru_session_cancel, session.number):
        return session.call(case.method)


def queue_cancel(session, case):
    queue = library.mailru_queue_new(0, 0, ffi.NULL)
    try:
        with after_200_ms(session, library.mailru_queue_cancel, queue, 7):
            arguments = queue, session.number, c(case.method), ffi.NULL, 7, ffi.NULL
            assert library.mailru_queue_submit(*arguments) == library.MAILRU_OK
            return answer(library.mailru_queue_next, queue, 30_000, ffi.NULL)
    finally:
        library.mailru_queue_free(queue)


FILE = bytes(100_000)


def send_file(session, case, handle):
    described = {"field": "img_file", "name": "snail.jpg"}
    arguments = request_json(case, described), ffi.from_buffer(FILE), len(FILE), handle
    return answer(library.mailru_request, session.number, *arguments)


def upload(session, case):
    with cancel_handle() as handle:
        text = send_file(session, case, handle)
        sent, total = ffi.new("uint64_t *"), ffi.new("uint64_t *")
        assert library.mailru_cancel_progress(handle, sent, total) == library.MAILRU_OK
        assert sent[0] == total[0] > len(FILE), (sent[0], total[0])
        return text


def upload_cancel(session, case):
    with cancel_handle() as handle, after_200_ms(session, library.mailru_cancel_fire, handle):
        return send_file(session, case, handle)


def public(session, case):
    return answer(library.mailru_public, session.number, c(case.method), c(cases.given(case.parameters)))


def rate(session, case):
    for _ in range(int(case.parameters)):
        session.call(case.method)


def error(session, case):
    try:
        session.call(case.method)
    except Error as error:
        text = c(error.json)
        assert library.mailru_error_number(text) == 2 and library.mailru_error_transient(text) == 0
        assert answer(library.mailru_error_message, text)
        raise


@ffi.callback("mailru_log_callback")
def read_line(user_data, level, line):
    ffi.from_handle(user_data).append(ffi.string(line).decode())


def log(session, case):
    lines = []
    handle = ffi.new_handle(lines)
    library.mailru_set_log(read_line, handle, ffi.NULL, 4)
    session.call(case.method)
    library.mailru_set_log(ffi.NULL, ffi.NULL, ffi.NULL, 0)
    assert any("event=answer" in line and f"method={case.method}" in line for line in lines), lines
    assert not any(cases.SESSION_KEY in line for line in lines), lines


def stats(session, case):
    session.call(case.method)
    session.call(case.method)
    return answer(library.mailru_stats, session.number)


@ffi.callback("mailru_token_callback")
def remember(user_data, tokens):
    ffi.from_handle(user_data).append(ffi.string(tokens).decode())


@ffi.callback("mailru_renewal_callback")
def count_phase(user_data, phase):
    ffi.from_handle(user_data).append(phase)


def renewal(session, case):
    told, phases = [], []
    handle, other = ffi.new_handle(told), ffi.new_handle(phases)
    library.mailru_session_on_token(session.number, remember, handle, ffi.NULL)
    library.mailru_session_on_renewal(session.number, count_phase, other, ffi.NULL)
    session.call("sandbox.echo")
    text = session.call(case.method)
    library.mailru_session_on_token(session.number, ffi.NULL, ffi.NULL, ffi.NULL)
    library.mailru_session_on_renewal(session.number, ffi.NULL, ffi.NULL, ffi.NULL)
    assert len(told) == 2 and told[0] != told[1] == session.tokens(), told
    assert phases == [1, 0], phases
    return text


def restarted(case, tokens):
    arguments = cases.APP_ID, cases.PRIVATE_KEY, None, tokens, cases.given(case.options)
    with Session("mailru_stored_session_new", *arguments) as session:
        if tokens is not None:
            code = library.mailru_session_set_tokens(session.number, c(tokens), ffi.NULL)
            assert code == library.MAILRU_OK, code
        return session.call(case.method)


def login(case):
    texts = cases.APP_ID, cases.REDIRECT_URI, None, None, "case-state"
    assert "state=case-state" in answer(library.mailru_authorize_url, *map(c, texts))
    code = json.loads(redirect(case))["code"]
    arguments = cases.APP_ID, cases.PRIVATE_KEY, code, cases.REDIRECT_URI, cases.given(case.options)
    with Session("mailru_code_client_session_new", *arguments) as session:
        answer(library.mailru_authorize, session.number)
        tokens = session.tokens()
    return restarted(case, tokens)


def token_file(session, case):
    session.call(case.method)
    library.mailru_session_free(session.number)
    return restarted(case, None)


def redirect(case):
    return answer(library.mailru_parse_redirect, c(case.parameters), c("case-state"))


def call(session, case):
    return session.call(case.method, cases.given(case.parameters))


def sign(session, case):
    return session.sign(case.method, cases.given(case.parameters))


def stale(session, case):
    library.mailru_session_free(session.number)
    return call(session, case)


def deadline(session, case):
    return session.call(case.method, timeout_ms=300)


KEY = c(cases.SECRET_KEY)
ALONE = {
    "methods": lambda case: answer(library.mailru_methods),
    "errors": lambda case: answer(library.mailru_errors),
    "verify": lambda case: answer(library.mailru_verify_query, c(case.method), KEY, c(case.parameters)),
    "payment": lambda case: answer(library.mailru_verify, KEY, c(case.parameters)),
    "launch": lambda case: answer(library.mailru_verify_launch, KEY, c(case.parameters)),
    "redirect": redirect,
    "login": login,
}


def act(case):
    try:
        if case.action in ALONE:
            return "MAILRU_OK", ALONE[case.action](case)
        with session_of(case) as session:
            return "MAILRU_OK", globals()[case.action.replace("-", "_")](session, case)
    except Error as error:
        return error.name, error.json


if __name__ == "__main__":
    cases.run(act)
