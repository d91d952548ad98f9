"""A site with Flask: the login, and calls of the user who logged in. For gunicorn with --preload and some workers."""

import json
import os
import secrets

import flask
import mailru

APP_ID, PRIVATE_KEY = "423004", "7815696ecbf1c96e6894b779456d330e"
REDIRECT_URI = "https://example.org/callback"
OPTIONS = json.loads(os.environ["MAILRU_OPTIONS"])

app = flask.Flask(__name__)

# Made before the workers are forked: each goes on with it, and the file has them log in once.
site = mailru.Session.password_client(
    APP_ID, PRIVATE_KEY, "demo@mail.ru", "demo", options=OPTIONS, token_file=os.environ["TOKENS"] + ".site"
)
# Where the user's tokens are. A site of more than one user has a file, or a row of a database, for each.
user = {"options": OPTIONS, "token_file": os.environ["TOKENS"]}
session: mailru.Session | None = None


@app.get("/login")
def login():
    state = secrets.token_urlsafe()
    answer = flask.redirect(mailru.authorize_url(APP_ID, REDIRECT_URI, state=state))
    answer.set_cookie("state", state, httponly=True)
    return answer


@app.get("/callback")
def callback():
    # An empty state would be none, and no state no protection against forged logins.
    redirect = mailru.parse_redirect(flask.request.url, flask.request.cookies.get("state") or "none")
    with mailru.Session.code_client(APP_ID, PRIVATE_KEY, redirect.code, REDIRECT_URI, **user) as fresh:
        fresh.authorize()
    return "welcome"


def of_the_user():
    """The worker's session, which begins with the file's tokens; it serves all threads."""
    global session
    if session is None:
        session = mailru.Session.stored(APP_ID, private_key=PRIVATE_KEY, **user)
    return session


@app.get("/friends")
def friends():
    site.call("sandbox.echo")
    return flask.jsonify(of_the_user().call("friends.get", {"ext": 1}))


@app.get("/slow")
def slow():
    return flask.jsonify(of_the_user().call("sandbox.echo.slow", timeout=2))


@app.errorhandler(mailru.Error)
def failed(error):
    return {"error": str(error)}, 504 if isinstance(error, mailru.Timeout) else 502
