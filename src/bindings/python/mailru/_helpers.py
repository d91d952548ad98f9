"""What needs no session."""

from __future__ import annotations

import json
from typing import Any, Literal

from ._calls import answer
from ._library import library
from ._values import Params, Redirect, Tokens, Verified, encoded, params_bytes, required


def methods() -> list[dict[str, Any]]:
    """The catalogue of the platform's methods: name, summary, write, privilege and params of each."""
    found: list[dict[str, Any]] = json.loads(answer(library.mailru_methods))
    return found


def errors() -> list[dict[str, Any]]:
    """The platform's errors, as far as they are known: code, meaning, transient and advice of each."""
    found: list[dict[str, Any]] = json.loads(answer(library.mailru_errors))
    return found


def authorize_url(
    app_id: str,
    redirect_uri: str,
    *,
    response_type: Literal["code", "token"] | None = None,
    scope: str | None = None,
    state: str | None = None,
    address: str | None = None,
) -> str:
    """The address at which a user lets the application in; the browser is then sent to redirect_uri.

    Keep a random state in the user's session, and hand it to parse_redirect. address is another authorization server's
    page for logins, such as a test's; the login's session has its token_url there, too.
    """
    texts = {
        "app_id": app_id,
        "redirect_uri": redirect_uri,
        "response_type": response_type,
        "scope": scope,
        "state": state,
    }
    found = [encoded(name, value) for name, value in texts.items()]
    if address is None:
        text = answer(library.mailru_authorize_url, *found)
    else:
        text = answer(library.mailru_authorize_url_at, encoded("address", address), *found)
    url: str = json.loads(text)["url"]
    return url


def parse_redirect(url: str, expected_state: str | None) -> Redirect:
    """Reads the address to which the browser was sent after authorize_url.

    expected_state is what was sent; None skips the comparison, and with it the protection against forged logins.
    """
    text = answer(library.mailru_parse_redirect, required("url", url), encoded("expected_state", expected_state))
    members = json.loads(text)
    return Redirect(code=members["code"]) if "code" in members else Redirect(tokens=Tokens.from_json(text))


def verify(secret_key: str, params: Params) -> None:
    """Checks a payment callback; raises SignatureMismatch unless it is the platform's. verify_query is safer."""
    answer(library.mailru_verify, required("secret_key", secret_key), params_bytes(params))


def verify_launch(secret_key: str, params: Params) -> None:
    """Checks launch parameters; raises SignatureMismatch unless they are the platform's. verify_query is safer."""
    answer(library.mailru_verify_launch, required("secret_key", secret_key), params_bytes(params))


def verify_query(
    kind: Literal["payment", "launch", "cookie", "launch_by_key"], secret_key: str, query: str
) -> Verified:
    """Checks a query string as it came, before a parser of the server's has read it.

    Use the params of the result and nothing else of the query; compare app_id with your own, count a transaction_id
    once, and refuse what has expired.
    """
    texts = {"kind": kind, "secret_key": secret_key, "query": query}
    members = json.loads(answer(library.mailru_verify_query, *[required(name, text) for name, text in texts.items()]))
    known = {name: members[name] for name in Verified.__dataclass_fields__ if name in members}
    return Verified(**known)
