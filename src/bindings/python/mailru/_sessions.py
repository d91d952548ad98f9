"""What sessions for threads and for asyncio share: how they are made, and what needs no network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from ctypes import byref, c_void_p
from typing import TYPE_CHECKING, Any, Literal, Union, overload

from ._callbacks import forget_session, set_on_renewal, set_on_token
from ._calls import Handle, answer, made, refuse
from ._errors import check
from ._library import library
from ._values import Options, Params, TokenOptions, Tokens, encoded, options_bytes, params_bytes, tokens_bytes

if TYPE_CHECKING:
    import sys

    if sys.version_info >= (3, 11):
        from typing import Self, Unpack
    else:
        from typing_extensions import Self, Unpack

RawOptions = Union[Mapping[str, Any], str, None]


def _free(number: int) -> None:
    library.mailru_session_free(number)
    forget_session(number)


class BaseSession(Handle):
    """An application's keys and a user's tokens. It serves many threads and tasks at once.

    The constructors touch no network. Beside their keyword options they take ``options``: a mapping or JSON text with
    the library's own names, such as ``timeout_ms``.
    """

    def __init__(self, _constructor: str, _texts: Mapping[str, str | None], _options: bytes | None) -> None:
        texts = [encoded(name, text) for name, text in _texts.items()]
        number = made(getattr(library, f"mailru_{_constructor}_session_new"), *texts, _options)
        super().__init__(number, _free)

    @classmethod
    def _of(cls, constructor: str, raw: RawOptions, more: Mapping[str, Any], **texts: str | None) -> Self:
        return cls(constructor, texts, options_bytes(raw, more))

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {self._number}{' closed' if self.closed else ''}>"

    @classmethod
    def anonymous(cls, *, options: RawOptions = None, **more: Unpack[Options]) -> Self:
        """A session for public pages: only public() works on it."""
        return cls._of("public", options, more)

    @classmethod
    def token(
        cls,
        app_id: str,
        *,
        private_key: str | None = None,
        secret_key: str | None = None,
        access_token: str,
        uid: str | None = None,
        options: RawOptions = None,
        **more: Unpack[TokenOptions],
    ) -> Self:
        """A session with an access token, in the circuit that its keys and uid allow."""
        return cls._of(
            "token", options, more, app_id=app_id, private_key=private_key, secret_key=secret_key,
            access_token=access_token, uid=uid,
        )  # fmt: skip

    @classmethod
    def client(
        cls,
        app_id: str,
        private_key: str,
        access_token: str,
        uid: str | None = None,
        *,
        options: RawOptions = None,
        **more: Unpack[TokenOptions],
    ) -> Self:
        """A session with an access token, signed in the client-server circuit for the user uid."""
        return cls._of(
            "client", options, more, app_id=app_id, private_key=private_key, access_token=access_token, uid=uid
        )

    @classmethod
    def server(
        cls,
        app_id: str,
        secret_key: str,
        access_token: str = "",
        *,
        options: RawOptions = None,
        **more: Unpack[TokenOptions],
    ) -> Self:
        """A session signed in the server-server circuit with secret_key, which never leaves the server."""
        return cls._of("server", options, more, app_id=app_id, secret_key=secret_key, access_token=access_token)

    @classmethod
    def code(
        cls,
        app_id: str,
        *,
        private_key: str | None = None,
        secret_key: str | None = None,
        code: str,
        redirect_uri: str,
        options: RawOptions = None,
        **more: Unpack[Options],
    ) -> Self:
        """A session that trades the code of a redirect for its tokens, on the first call or by authorize()."""
        return cls._of(
            "code", options, more, app_id=app_id, private_key=private_key, secret_key=secret_key, code=code,
            redirect_uri=redirect_uri,
        )  # fmt: skip

    @classmethod
    def code_client(
        cls,
        app_id: str,
        private_key: str,
        code: str,
        redirect_uri: str,
        *,
        options: RawOptions = None,
        **more: Unpack[Options],
    ) -> Self:
        """As code(), signed in the client-server circuit."""
        return cls._of(
            "code_client", options, more, app_id=app_id, private_key=private_key, code=code, redirect_uri=redirect_uri
        )

    @classmethod
    def code_server(
        cls,
        app_id: str,
        secret_key: str,
        code: str,
        redirect_uri: str,
        *,
        options: RawOptions = None,
        **more: Unpack[Options],
    ) -> Self:
        """As code(), signed in the server-server circuit."""
        return cls._of(
            "code_server", options, more, app_id=app_id, secret_key=secret_key, code=code, redirect_uri=redirect_uri
        )

    @classmethod
    def password(
        cls,
        app_id: str,
        *,
        private_key: str | None = None,
        secret_key: str | None = None,
        email: str,
        password: str,
        scope: str | None = None,
        options: RawOptions = None,
        **more: Unpack[Options],
    ) -> Self:
        """A session that trades e-mail and password for its tokens; for applications that a moderator approved."""
        return cls._of(
            "password", options, more, app_id=app_id, private_key=private_key, secret_key=secret_key, email=email,
            password=password, scope=scope,
        )  # fmt: skip

    @classmethod
    def password_client(
        cls,
        app_id: str,
        private_key: str,
        email: str,
        password: str,
        scope: str | None = None,
        *,
        options: RawOptions = None,
        **more: Unpack[Options],
    ) -> Self:
        """As password(), signed in the client-server circuit."""
        return cls._of(
            "password_client", options, more, app_id=app_id, private_key=private_key, email=email, password=password,
            scope=scope,
        )  # fmt: skip

    @classmethod
    def password_server(
        cls,
        app_id: str,
        secret_key: str,
        email: str,
        password: str,
        scope: str | None = None,
        *,
        options: RawOptions = None,
        **more: Unpack[Options],
    ) -> Self:
        """As password(), signed in the server-server circuit."""
        return cls._of(
            "password_server", options, more, app_id=app_id, secret_key=secret_key, email=email, password=password,
            scope=scope,
        )  # fmt: skip

    @classmethod
    def refresh(
        cls,
        app_id: str,
        *,
        private_key: str | None = None,
        secret_key: str | None = None,
        refresh_token: str,
        options: RawOptions = None,
        **more: Unpack[Options],
    ) -> Self:
        """A session that trades a refresh token for new tokens."""
        return cls(
            "refresh",
            {"app_id": app_id, "private_key": private_key, "secret_key": secret_key, "refresh_token": refresh_token},
            options_bytes(options, more),
        )

    @classmethod
    def refresh_client(
        cls, app_id: str, private_key: str, refresh_token: str, *, options: RawOptions = None, **more: Unpack[Options]
    ) -> Self:
        """As refresh(), signed in the client-server circuit."""
        texts = {"app_id": app_id, "private_key": private_key, "refresh_token": refresh_token}
        return cls("refresh_client", texts, options_bytes(options, more))

    @classmethod
    def refresh_server(
        cls, app_id: str, secret_key: str, refresh_token: str, *, options: RawOptions = None, **more: Unpack[Options]
    ) -> Self:
        """As refresh(), signed in the server-server circuit."""
        texts = {"app_id": app_id, "secret_key": secret_key, "refresh_token": refresh_token}
        return cls("refresh_server", texts, options_bytes(options, more))

    @classmethod
    def stored(
        cls,
        app_id: str,
        *,
        private_key: str | None = None,
        secret_key: str | None = None,
        tokens: Tokens | Mapping[str, Any] | str | None = None,
        options: RawOptions = None,
        **more: Unpack[Options],
    ) -> Self:
        """A session that goes on with the tokens of an earlier one: the restart."""
        found = tokens_bytes(tokens)
        text = None if found is None else found.decode()
        return cls._of(
            "stored", options, more, app_id=app_id, private_key=private_key, secret_key=secret_key, tokens_json=text
        )

    def tokens(self) -> Tokens:
        """The tokens at present, at once and without network."""
        return Tokens.from_json(answer(library.mailru_tokens, self._number))

    def set_tokens(self, tokens: Tokens | Mapping[str, Any] | str) -> None:
        """Gives the session newer tokens, and lifts a refusal that it remembers."""
        error = c_void_p()
        if library.mailru_session_set_tokens(self._number, tokens_bytes(tokens), byref(error)) != 0:
            refuse(error)

    def hold(self) -> None:
        """Inside a function of on_token or on_renewal: it counts as running until proceed, also after it has returned."""
        check(library.mailru_session_hold(self._number, 1), "mailru_session_hold")

    def proceed(self) -> None:
        """Ends what hold began; on any thread."""
        check(library.mailru_session_hold(self._number, 0), "mailru_session_hold")

    @overload
    def sign(self, method: str, params: Params = None, *, raw: Literal[False] = False) -> dict[str, Any]: ...

    @overload
    def sign(self, method: str, params: Params = None, *, raw: Literal[True]) -> str: ...

    def sign(self, method: str, params: Params = None, *, raw: bool = False) -> dict[str, Any] | str:
        """Shows a call as it would be sent, without network: url, sig, circuit, base and params.

        url and params hold the session key; in the server circuit nothing of it may go to a browser.
        """
        text = answer(library.mailru_sign, self._number, encoded("method", method), params_bytes(params))
        return text if raw else json.loads(text)

    def stats(self) -> dict[str, Any]:
        """Counters since the session was made."""
        found: dict[str, Any] = json.loads(answer(library.mailru_stats, self._number))
        return found

    def cancel(self) -> None:
        """Ends the session's calls under way within 50 ms as Cancelled. Later calls work."""
        check(library.mailru_session_cancel(self._number), "mailru_session_cancel")

    def _on_token(self, function: Callable[[Tokens], None] | None) -> None:
        set_on_token(self._number, function)

    def _on_renewal(self, function: Callable[[bool], None] | None) -> None:
        set_on_renewal(self._number, function)
