"""The cases in Python with threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import mailru

import alone
import cases


def session_of(case, kind=mailru.Session):
    options = cases.given(case.options)
    if case.circuit == "client":
        return kind.client(cases.APP_ID, cases.PRIVATE_KEY, cases.SESSION_KEY, cases.UID, options=options)
    if case.circuit == "server":
        return kind.server(cases.APP_ID, cases.SECRET_KEY, cases.SESSION_KEY, options=options)
    return kind.password_client(cases.APP_ID, cases.PRIVATE_KEY, cases.EMAIL, cases.PASSWORD, options=options)


def call(session, case):
    return session.call(case.method, cases.given(case.parameters), raw=True)


def sign(session, case):
    return session.sign(case.method, cases.given(case.parameters), raw=True)


def stale(session, case):
    session.close()
    session.close()
    return call(session, case)


def together(session, case):
    with ThreadPoolExecutor(int(case.parameters)) as pool:
        answers = pool.map(lambda tag: session.call(case.method, {"tag": tag}), range(int(case.parameters)))
        for tag, answer in enumerate(answers):
            assert answer["tag"] == str(tag), answer


def crowd(session, case):
    calls = int(case.parameters)
    with mailru.Queue(in_flight=calls, capacity=calls) as queue:
        for tag in range(calls):
            queue.submit(session, case.method, {"tag": tag}, tag=tag)
        missing = set(range(calls))
        while missing:
            completion = queue.next(30)
            missing.remove(completion.tag)
            assert completion.result()["tag"] == str(completion.tag), completion


def deadline(session, case):
    return session.call(case.method, timeout=0.3)


@contextmanager
def after_200_ms(function, session):
    """Calls a function meanwhile. What it ends is over then, and the session of use."""
    timer = threading.Timer(0.2, function)
    timer.start()
    try:
        yield
    finally:
        timer.join()
        session.call("sandbox.echo")


def cancel(session, case):
    with mailru.Cancel() as cancel, after_200_ms(cancel.fire, session):
        return session.call(case.method, cancel=cancel)


def session_cancel(session, case):
    with after_200_ms(session.cancel, session):
        return session.call(case.method)


def queue_cancel(session, case):
    with mailru.Queue() as queue, after_200_ms(lambda: queue.cancel(7), session):
        queue.submit(session, case.method, tag=7)
        completion = queue.next()
        assert completion.tag == 7, completion
        return completion.result()


def queued(session, case):
    with mailru.Queue() as queue:
        queue.submit(session, case.method, case.parameters, tag=7, timeout=30)
        completion = queue.next(30)
        assert completion.tag == 7, completion
        return completion.result(raw=True)


def request(session, case):
    return session.call(case.method, case.parameters, timeout=10, retries=1, pass_error=False, raw=True)


def upload(session, case):
    told = []
    with mailru.Cancel() as cancel:
        text = session.upload(
            case.method, case.parameters, "img_file", alone.FILE, file_name="snail.jpg", cancel=cancel,
            progress=told.append, raw=True,
        )  # fmt: skip
        alone.check_progress(cancel.progress())
        alone.check_progress(told[-1])
    return text


def upload_cancel(session, case):
    with mailru.Cancel() as cancel, after_200_ms(cancel.fire, session):
        return session.upload(case.method, None, "img_file", alone.FILE, file_name="snail.jpg", cancel=cancel)


def public(session, case):
    return session.public(case.method, cases.given(case.parameters), raw=True)


def rate(session, case):
    for _ in range(int(case.parameters)):
        session.call(case.method)


def error(session, case):
    try:
        session.call(case.method)
    except mailru.Error as error:
        alone.check_error(error)
        raise


def log(session, case):
    with alone.Log(case):
        session.call(case.method)


def stats(session, case):
    session.call(case.method)
    session.call(case.method)
    return alone.dumped(session.stats())


def renewal(session, case):
    told, phases = [], []
    session.on_token(told.append)
    session.on_renewal(phases.append)
    session.call("sandbox.echo")
    text = session.call(case.method, raw=True)
    session.on_token(None)
    session.on_renewal(None)
    assert len(told) == 2 and told[0] != told[1] == session.tokens(), told
    assert phases == [True, False], phases
    return text


def login(_, case):
    with alone.code_session(case, mailru.Session) as session:
        tokens = session.authorize()
    with alone.stored_session(case, mailru.Session, tokens) as session:
        return session.call(case.method, raw=True)


def token_file(session, case):
    session.call(case.method)
    session.close()
    with alone.stored_session(case, mailru.Session) as session:
        return session.call(case.method, raw=True)


def act(case):
    action = case.action.replace("-", "_")
    try:
        if action in alone.ACTIONS:
            return "MAILRU_OK", alone.ACTIONS[action](case)
        if action == "login":
            return "MAILRU_OK", login(None, case)
        with session_of(case) as session:
            return "MAILRU_OK", globals()[action](session, case)
    except mailru.Error as error:
        return error.name, error.json


if __name__ == "__main__":
    cases.run(act)
