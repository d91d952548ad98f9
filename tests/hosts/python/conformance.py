"""The cases in Python with threads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cases
import mailru


def session_of(case):
    options = cases.given(case.options)
    if case.circuit == "client":
        return mailru.Session.client(cases.APP_ID, cases.PRIVATE_KEY, cases.SESSION_KEY, cases.UID, options)
    if case.circuit == "server":
        return mailru.Session.server(cases.APP_ID, cases.SECRET_KEY, cases.SESSION_KEY, options)
    credentials = cases.APP_ID, cases.PRIVATE_KEY, cases.EMAIL, cases.PASSWORD
    return mailru.Session.password_client(*credentials, options=options)


def together(session, case):
    with ThreadPoolExecutor(int(case.parameters)) as pool:
        texts = pool.map(lambda tag: session.call(case.method, {"tag": tag}), range(int(case.parameters)))
        for tag, text in enumerate(texts):
            assert f'"tag":"{tag}"' in text, text


def crowd(session, case):
    calls = int(case.parameters)
    with mailru.Queue(workers=calls, capacity=calls) as queue:
        for tag in range(calls):
            queue.submit(session, case.method, {"tag": tag}, tag)
        missing = set(range(calls))
        while missing:
            tag, code, text = queue.next(30_000)
            missing.remove(tag)
            assert code == 0 and f'"tag":"{tag}"' in text, text


def cancelled(session, case):
    with mailru.Cancel() as cancel:
        threading.Timer(0.2, cancel.fire).start()
        try:
            return session.call(case.method, cancel=cancel)
        finally:
            session.call("sandbox.echo")


def renewal(session, case):
    told = []
    session.on_token(told.append)
    session.call("sandbox.echo")
    text = session.call(case.method)
    session.on_token(None)
    assert len(told) == 2 and told[0] != told[1] == session.tokens(), told
    # The thread that used the function last may have it a moment longer.
    end = time.monotonic() + 2
    while mailru._functions:
        assert time.monotonic() < end, "a token function is kept for ever"
        time.sleep(0.001)
    return text


def act(case):
    try:
        with session_of(case) as session:
            parameters = cases.given(case.parameters)
            if case.action == "stale":
                session.close()
                session.close()
            if case.action in ("call", "stale"):
                text = session.call(case.method, parameters)
            elif case.action == "sign":
                text = session.sign(case.method, parameters)
            elif case.action == "deadline":
                text = session.call(case.method, parameters, timeout=0.3)
            else:
                actions = {"together": together, "crowd": crowd, "cancel": cancelled, "renewal": renewal}
                text = actions[case.action](session, case)
    except mailru.Error as error:
        return error.name, error.json
    return "MAILRU_OK", text


if __name__ == "__main__":
    cases.run(act)
