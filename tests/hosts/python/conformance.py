"""The cases in Python with threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import cases
import mailru


def session_of(case, kind=mailru.Session):
    options = cases.given(case.options)
    if case.circuit == "client":
        return kind.client(cases.APP_ID, cases.PRIVATE_KEY, cases.SESSION_KEY, cases.UID, options=options)
    if case.circuit == "server":
        return kind.server(cases.APP_ID, cases.SECRET_KEY, cases.SESSION_KEY, options=options)
    return kind.password_client(cases.APP_ID, cases.PRIVATE_KEY, cases.EMAIL, cases.PASSWORD, options=options)


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
    text = session.call(case.method, raw=True)
    session.on_token(None)
    assert len(told) == 2 and told[0] != told[1] == session.tokens(), told
    return text


def act(case):
    try:
        with session_of(case) as session:
            parameters = cases.given(case.parameters)
            if case.action == "stale":
                session.close()
                session.close()
            if case.action in ("call", "stale"):
                text = session.call(case.method, parameters, raw=True)
            elif case.action == "sign":
                text = session.sign(case.method, parameters, raw=True)
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
