"""What the package's types promise; mypy --strict reads it, and nothing runs it."""

import asyncio
from datetime import timedelta

import mailru

session: mailru.Session = mailru.Session.client("1", "k", "t", "2", timeout=timedelta(seconds=5), retries=1)
text: str = session.call("friends.get", {"ext": 1}, raw=True)
tokens: mailru.Tokens = session.authorize(timeout=5)
session.on_token(lambda fresh: print(fresh.expires))
completion = mailru.Queue(in_flight=2).next(0)
number: int = 0 if completion is None else completion.tag
mailru.Session.client(5, "k", "t")  # type: ignore[arg-type]
mailru.Session.anonymous(timout=5)  # type: ignore[call-arg]
session.call(5)  # type: ignore[call-overload]


async def main() -> None:
    async def store(fresh: mailru.Tokens) -> None:
        await asyncio.sleep(0)

    async with mailru.aio.Session.stored("1", tokens=tokens, token_file="t.json") as other:
        other.on_token(store)
        answered: str = await other.call("friends.get", raw=True)
        print(answered, text, number)
        try:
            await other.upload("photos.upload", None, "f", bytearray(1), progress=lambda now: now.sent)
        except mailru.ApiError as error:
            print(error.number, error.sent, error.retry_after)
