"""aiomailru as it is, against the sandbox: only its addresses are others. Prints "done" at the end."""

import asyncio
import sys

from aiomailru import API, sessions
from aiomailru.exceptions import APIError, OAuthError

BASE = sys.argv[1]
sessions.PublicSession.PUBLIC_URL = BASE + "/platform"
sessions.TokenSession.API_URL = BASE + "/platform/api"
for kind in (sessions.CodeSession, sessions.PasswordSession, sessions.RefreshSession):
    kind.OAUTH_URL = BASE + "/oauth/token"

APP_ID, UID, TOKEN = "423004", "1324730981306483817", "be6ef89965d58e56dec21acb9b62bdaa"
PRIVATE_KEY, SECRET_KEY = "7815696ecbf1c96e6894b779456d330e", "3dad9cbf9baaa0360c0f2ba372d25716"


async def main():
    async with sessions.PublicSession() as public:
        assert (await public.public_request(("mail", "demo")))["uid"] == UID
    async with sessions.ClientSession(APP_ID, PRIVATE_KEY, TOKEN, UID) as session:
        friends = await API(session).friends.get(ext=1)
        assert friends[0]["uid"] == "15410773191172635989", friends
    async with sessions.ServerSession(APP_ID, SECRET_KEY, TOKEN) as session:
        assert len(await API(session).users.getInfo(uids=UID)) == 1
        try:
            await API(session).no.such()
            raise AssertionError("no such method")
        except APIError as error:
            assert str(error) == "Error 2: Unknown method called", error
    arguments = (APP_ID, PRIVATE_KEY, SECRET_KEY, "demo@mail.ru", "demo", "photos messages")
    async with sessions.PasswordSession(*arguments) as session:
        assert session.uid == UID
        assert (await API(session).messages.getUnreadCount())["count"] == 3
        refresh_token = session.refresh_token
    async with sessions.RefreshSession(APP_ID, PRIVATE_KEY, SECRET_KEY, refresh_token) as session:
        assert (await API(session).users.isAppUser())["isAppUser"] == 1
    try:
        async with sessions.CodeSession(APP_ID, PRIVATE_KEY, SECRET_KEY, "no code", "https://example.org/"):
            raise AssertionError("no such code")
    except OAuthError:
        pass
    print("done")


asyncio.run(main())
