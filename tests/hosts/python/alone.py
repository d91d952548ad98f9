"""The cases that need no session, for both programs: these functions do not wait."""

import json
from dataclasses import asdict

import mailru

import cases


def dumped(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def verify(case):
    return dumped(asdict(mailru.verify_query(case.method, cases.SECRET_KEY, case.parameters)))


def payment(case):
    mailru.verify(cases.SECRET_KEY, case.parameters)
    return '"verified":true'


def launch(case):
    mailru.verify_launch(cases.SECRET_KEY, json.loads(case.parameters))
    return '"verified":true'


def redirect(case):
    return mailru.parse_redirect(case.parameters, "case-state").code


def methods(_):
    return dumped([method["name"] for method in mailru.methods()])


def errors(_):
    return dumped([{"code": error["code"]} for error in mailru.errors()])


ACTIONS = {function.__name__: function for function in (verify, payment, launch, redirect, methods, errors)}


def code_session(case, kind):
    """The session of a login, as far as it goes without waiting."""
    url = mailru.authorize_url(cases.APP_ID, cases.REDIRECT_URI, state="case-state")
    assert "state=case-state" in url, url
    code = mailru.parse_redirect(case.parameters, "case-state").code
    options = cases.given(case.options)
    return kind.code_client(cases.APP_ID, cases.PRIVATE_KEY, code, cases.REDIRECT_URI, options=options)


def stored_session(case, kind, tokens=None):
    """A session after the restart, from what a program stores: text."""
    text = None if tokens is None else tokens.to_json()
    session = kind.stored(cases.APP_ID, private_key=cases.PRIVATE_KEY, tokens=text, options=cases.given(case.options))
    if tokens is not None:
        session.set_tokens(tokens)
    return session


def check_error(error):
    """The members of the platform's error, in Python's idiom."""
    assert isinstance(error, mailru.ApiError) and error.code == 10 and error.number == 2, error
    assert error.message and not error.transient and error.sent is True, error
    assert error.argument is None and error.retry_after is None, error


class Log:
    """The log, told to a function for a while."""

    def __init__(self, case):
        self.lines, self.case = [], case

    def __enter__(self):
        mailru.set_log(lambda level, line: self.lines.append(line))

    def __exit__(self, *_):
        mailru.set_log(None)
        wanted = f"method={self.case.method}"
        assert any("event=answer" in line and wanted in line for line in self.lines), self.lines
        assert not any(cases.SESSION_KEY in line for line in self.lines), self.lines


FILE = bytes(100_000)


def check_progress(progress):
    assert progress.sent == progress.total > len(FILE), progress
