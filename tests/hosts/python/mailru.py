"""The Mail.ru platform's REST API through libmailru, by ctypes.

    with mailru.Session.client(app_id, private_key, access_token, uid) as session:
        friends = json.loads(session.call("friends.get", {"ext": 1}))

A session serves many threads at once: ctypes lets others run while a call waits. Failures are mailru.Error.
For asyncio there is mailru_asyncio.
"""

import atexit
import itertools
import json
import time
import weakref
from ctypes import CDLL, CFUNCTYPE, POINTER, byref, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from ctypes import string_at

_library = CDLL("libmailru.so.0")

_TOKENS = CFUNCTYPE(None, c_void_p, c_char_p)
_RELEASE = CFUNCTYPE(None, c_void_p)
_CODE = POINTER(c_int32)

# Every function in full: without a result type ctypes would cut a handle to 32 bits, and a string of the
# library's must be a c_void_p, because of a c_char_p only a copy is left and the string leaks.
for _name, _result, *_arguments in [
    ("mailru_client_session_new", c_uint64, *[c_char_p] * 5, POINTER(c_void_p)),
    ("mailru_server_session_new", c_uint64, *[c_char_p] * 4, POINTER(c_void_p)),
    ("mailru_password_client_session_new", c_uint64, *[c_char_p] * 6, POINTER(c_void_p)),
    ("mailru_refresh_client_session_new", c_uint64, *[c_char_p] * 4, POINTER(c_void_p)),
    ("mailru_code_server_session_new", c_uint64, *[c_char_p] * 5, POINTER(c_void_p)),
    ("mailru_session_free", None, c_uint64),
    ("mailru_session_cancel", c_int32, c_uint64),
    ("mailru_session_on_token", c_int32, c_uint64, _TOKENS, c_void_p, _RELEASE),
    ("mailru_call_within", c_void_p, c_uint64, c_char_p, c_char_p, c_int64, c_uint64, _CODE),
    ("mailru_upload", c_void_p, c_uint64, *[c_char_p] * 5, c_size_t, _CODE),
    ("mailru_public", c_void_p, c_uint64, c_char_p, c_char_p, _CODE),
    ("mailru_sign", c_void_p, c_uint64, c_char_p, c_char_p, _CODE),
    ("mailru_authorize", c_void_p, c_uint64, _CODE),
    ("mailru_tokens", c_void_p, c_uint64, _CODE),
    ("mailru_cancel_new", c_uint64),
    ("mailru_cancel_fire", c_int32, c_uint64),
    ("mailru_cancel_free", None, c_uint64),
    ("mailru_queue_new", c_uint64, c_uint32, c_uint32, POINTER(c_void_p)),
    ("mailru_queue_submit", c_int32, c_uint64, c_uint64, c_char_p, c_char_p, c_uint64, POINTER(c_void_p)),
    ("mailru_queue_next", c_void_p, c_uint64, c_int32, POINTER(c_uint64), _CODE),
    ("mailru_queue_cancel", c_int32, c_uint64, c_uint64),
    ("mailru_queue_fd", c_int32, c_uint64),
    ("mailru_queue_free", None, c_uint64),
    ("mailru_string_free", None, c_void_p),
    ("mailru_code_name", c_char_p, c_int32),
]:
    _function = getattr(_library, _name)
    _function.restype, _function.argtypes = _result, _arguments


class Error(Exception):
    """A failure: its code, the code's name, and the error's JSON."""

    def __init__(self, code, text):
        self.code, self.json = code, text
        self.name = _library.mailru_code_name(code).decode()
        super().__init__(f"{self.name}: {text}")


def _encoded(text):
    return None if text is None else text.encode()


def _parameters(params):
    """JSON text as it is, anything else as JSON; Python's integers keep all their digits."""
    if params is None or isinstance(params, str):
        return _encoded(params)
    return json.dumps(params, ensure_ascii=False).encode()


def _taken(pointer):
    """A string of the library's, released."""
    try:
        return "" if pointer is None else string_at(pointer).decode()
    finally:
        _library.mailru_string_free(pointer)


def _answer(function, *arguments):
    """Runs a function that answers with JSON and a code."""
    code = c_int32()
    text = _taken(function(*arguments, byref(code)))
    if code.value != 0:
        raise Error(code.value, text)
    return text


def _made(function, *arguments):
    """Runs a function that answers with a handle."""
    error = c_void_p()
    number = function(*arguments, byref(error))
    if number == 0:
        text = _taken(error.value)
        raise Error(-json.loads(text)["error"]["error_code"], text)
    return number


# The functions that the library may still call, by the number that it was given for them.
_functions = {}
_numbers = itertools.count(1)
# The numbers of the sessions that were given one.
_telling = set()


@_TOKENS
def _told(number, tokens):
    _functions[number](tokens.decode())


@_RELEASE
def _forgotten(number):
    del _functions[number]


def _stop_telling():
    """Has the library call nothing any more: a thread that calls Python while Python ends would end the process."""
    for session in _telling:
        _library.mailru_session_on_token(session, _TOKENS(), None, _RELEASE())
    end = time.monotonic() + 5
    while _functions and time.monotonic() < end:
        time.sleep(0.001)


def _free_session(number):
    _telling.discard(number)
    _library.mailru_session_free(number)


class _Handle:
    """A number of the library's, freed once: by close, by the end of a with block, or with the object."""

    def __init__(self, number, free):
        # The number is kept after that: the library answers a stale one with an error.
        self.number, self.close = number, weakref.finalize(self, free, number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Cancel(_Handle):
    """Ends the calls that were given it."""

    def __init__(self):
        super().__init__(_library.mailru_cancel_new(), _library.mailru_cancel_free)

    def fire(self):
        _library.mailru_cancel_fire(self.number)


class Session(_Handle):
    """A session. options is a mapping or JSON text."""

    def __init__(self, constructor, *arguments, options=None):
        texts = [_encoded(argument) for argument in arguments]
        number = _made(getattr(_library, constructor), *texts, _parameters(options))
        super().__init__(number, _free_session)

    @classmethod
    def client(cls, app_id, private_key, access_token, uid, options=None):
        return cls("mailru_client_session_new", app_id, private_key, access_token, uid, options=options)

    @classmethod
    def server(cls, app_id, secret_key, access_token, options=None):
        return cls("mailru_server_session_new", app_id, secret_key, access_token, options=options)

    @classmethod
    def password_client(cls, app_id, private_key, email, password, scope=None, options=None):
        constructor = "mailru_password_client_session_new"
        return cls(constructor, app_id, private_key, email, password, scope, options=options)

    @classmethod
    def refresh_client(cls, app_id, private_key, refresh_token, options=None):
        return cls("mailru_refresh_client_session_new", app_id, private_key, refresh_token, options=options)

    @classmethod
    def code_server(cls, app_id, secret_key, code, redirect_uri, options=None):
        return cls("mailru_code_server_session_new", app_id, secret_key, code, redirect_uri, options=options)

    def call(self, method, params=None, timeout=None, cancel=None):
        """Calls a method; timeout is in seconds. Returns the platform's JSON."""
        limit = 0 if timeout is None else max(1, round(timeout * 1000))
        handle = 0 if cancel is None else cancel.number
        function = _library.mailru_call_within
        return _answer(function, self.number, method.encode(), _parameters(params), limit, handle)

    def upload(self, method, params, field, file_name, data):
        function = _library.mailru_upload
        texts = method.encode(), _parameters(params), field.encode(), file_name.encode()
        return _answer(function, self.number, *texts, data, len(data))

    def public(self, path, params=None):
        return _answer(_library.mailru_public, self.number, path.encode(), _parameters(params))

    def sign(self, method, params=None):
        return _answer(_library.mailru_sign, self.number, method.encode(), _parameters(params))

    def authorize(self):
        return _answer(_library.mailru_authorize, self.number)

    def tokens(self):
        return _answer(_library.mailru_tokens, self.number)

    def cancel(self):
        """Ends the calls of other threads."""
        _library.mailru_session_cancel(self.number)

    def on_token(self, function):
        """Has a function told of every new set of tokens, on a thread of the library's; None removes it."""
        if function is None:
            code = _library.mailru_session_on_token(self.number, _TOKENS(), None, _RELEASE())
        else:
            if not _telling:
                # Only now, so that it runs before weakref's function, which frees the sessions.
                atexit.register(_stop_telling)
            _telling.add(self.number)
            number = next(_numbers)
            _functions[number] = function
            code = _library.mailru_session_on_token(self.number, _told, number, _forgotten)
        if code != 0:
            raise Error(code, "{}")


class Queue(_Handle):
    """Many calls for few threads."""

    def __init__(self, workers=0, capacity=0):
        super().__init__(_made(_library.mailru_queue_new, workers, capacity), _library.mailru_queue_free)

    def submit(self, session, method, params, tag):
        error = c_void_p()
        texts = method.encode(), _parameters(params)
        code = _library.mailru_queue_submit(self.number, session.number, *texts, tag, byref(error))
        if code != 0:
            raise Error(code, _taken(error.value))

    def next(self, timeout_ms=-1):
        """The next completion as (tag, code, JSON), or None if there was none in time."""
        tag, code = c_uint64(), c_int32()
        pointer = _library.mailru_queue_next(self.number, timeout_ms, byref(tag), byref(code))
        return None if pointer is None else (tag.value, code.value, _taken(pointer))

    def cancel(self, tag):
        _library.mailru_queue_cancel(self.number, tag)

    def fileno(self):
        """Readable while a completion waits; it stays the queue's."""
        return _library.mailru_queue_fd(self.number)
