"""Calls from a pool of forked processes and their parent, by ctypes: each answer must be its caller's."""

import ctypes
import json
import multiprocessing
import os
import sys
import threading

library, options, processes, calls = sys.argv[1], sys.argv[2].encode(), int(sys.argv[3]), int(sys.argv[4])
mailru = ctypes.CDLL(library)
mailru.mailru_client_session_new.restype = ctypes.c_uint64
mailru.mailru_client_session_new.argtypes = [ctypes.c_char_p] * 5 + [ctypes.c_void_p]
mailru.mailru_call.restype = ctypes.c_void_p
mailru.mailru_call.argtypes = [ctypes.c_uint64, ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_int32)]
mailru.mailru_string_free.restype = None
mailru.mailru_string_free.argtypes = [ctypes.c_void_p]

session = mailru.mailru_client_session_new(
    b"423004", b"7815696ecbf1c96e6894b779456d330e", b"be6ef89965d58e56dec21acb9b62bdaa", b"1324730981306483817",
    options, None)


def echo(who):
    """How many of the calls got an answer that is not theirs."""
    wrong = 0
    for number in range(calls):
        mine = f"{who}-{os.getpid()}-{threading.get_ident()}-{number}"
        code = ctypes.c_int32()
        answer = mailru.mailru_call(session, b"sandbox.echo", json.dumps({"id": mine}).encode(), ctypes.byref(code))
        text = ctypes.string_at(answer)
        mailru.mailru_string_free(answer)
        if code.value != 0 or json.loads(text)["id"] != mine:
            print(code.value, text)
            wrong += 1
    return wrong


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    results = []

    def threads(count):
        started = [threading.Thread(target=lambda: results.append(echo("thread"))) for _ in range(count)]
        for thread in started:
            thread.start()
        return started

    # Eight connections stand idle, for parent and children to quarrel about.
    for thread in threads(8):
        thread.join()
    # And threads of the parent are in the middle of calls while the pool forks.
    busy = threads(4)
    with multiprocessing.Pool(processes) as pool:
        results += pool.map(echo, [f"child{number}" for number in range(processes * 2)])
    for thread in busy:
        thread.join()
    print(f"{len(results) * calls} calls, {sum(results)} wrong")
    sys.exit(1 if sum(results) else 0)
