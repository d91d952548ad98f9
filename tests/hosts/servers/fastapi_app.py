"""A site with FastAPI: the login, and calls of the user who logged in. For uvicorn."""

import json
import os
import secrets

import mailru
from fastapi import Cookie, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse

APP_ID, PRIVATE_KEY = "423004", "7815696ecbf1c96e6894b779456d330e"
REDIRECT_URI = "https://example.org/callback"
OPTIONS = json.loads(os.environ["MAILRU_OPTIONS"])

app = FastAPI()
session: mailru.aio.Session | None = None


@app.get("/login")
async def login():
    state = secrets.token_urlsafe()
    answer = RedirectResponse(mailru.authorize_url(APP_ID, REDIRECT_URI, state=state))
    answer.set_cookie("state", state, httponly=True)
    return answer


@app.get("/callback")
async def callback(request: Request, state: str = Cookie("none")):
    global session
    redirect = mailru.parse_redirect(str(request.url), state)
    session = mailru.aio.Session.code_client(
        APP_ID, PRIVATE_KEY, redirect.code, REDIRECT_URI, options=OPTIONS, token_file=os.environ["TOKENS"]
    )
    await session.authorize()
    return PlainTextResponse("welcome")


@app.get("/friends")
async def friends():
    return await session.call("friends.get", {"ext": 1})


@app.get("/slow")
async def slow():
    return await session.call("sandbox.echo.slow", timeout=2)


@app.exception_handler(mailru.Error)
async def failed(_: Request, error: mailru.Error):
    return JSONResponse({"error": str(error)}, 502)
