"""Where nobody may be nobody: the first message of a socket without a token says who it is (`authenticate`), or it is closed."""

import asyncio
from enum import Enum
from typing import Final, NamedTuple

import msgspec

from app.auth.tokens import Tokens
from app.kernel.errors import Unauthenticated
from app.kernel.identity import User
from app.web.front import Receive
from app.wire import inbound
from app.wire.dialect import Dialect

HANDLER: Final = "authenticate"
MAX_MESSAGES: Final = 10
"""Messages that are looked at: a page says that it is there once a minute, and the rate of messages is not watched yet."""
NOT_SAID: Final = "say first who you are, with a token that is good"


class _Said(msgspec.Struct, frozen=True):
    token: str


class FirstWord(NamedTuple):
    """Who it is, and the message that said so: the handler of that name answers it."""

    user: User
    message: str | bytes


class Silence(Enum):
    """Why it is not known who it is."""

    GONE = "gone"
    UNKNOWN = "unknown"
    """Nothing came in time, or something else than a good token."""


async def first_word(receive: Receive, dialect: Dialect, tokens: Tokens, within_s: float) -> FirstWord | Silence:
    """What an accepted socket says first.

    Until then it is no connection: it hears nothing, and is asked for nothing else. A page that only says that it is there
    (`{"type": "active"}`) is waited for.
    """
    try:
        async with asyncio.timeout(within_s):
            for _ in range(MAX_MESSAGES):
                event = await receive()
                if event["type"] != "websocket.receive":
                    return Silence.GONE
                text = event.get("text")
                message = text if text is not None else event["bytes"]
                request = dialect.read(message)
                if request.type != "active":
                    return FirstWord(_user(request, tokens), message)
    except (TimeoutError, inbound.Unreadable, Unauthenticated):
        pass
    return Silence.UNKNOWN


def _user(request: inbound.Inbound, tokens: Tokens) -> User:
    """Raises Unauthenticated."""
    try:
        if (request.handler or request.trigger) == HANDLER:
            return tokens.read(msgspec.convert(request.data, _Said).token)
    except msgspec.ValidationError:
        pass
    raise Unauthenticated("a connection token is needed")
