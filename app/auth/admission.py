"""Who opens a socket: by a ticket, by the subprotocol pair, or by the cookie of a page."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from app.auth.tickets import Tickets
from app.auth.tokens import Tokens
from app.kernel.errors import BadRequest
from app.kernel.identity import User

COOKIE: Final = "wsx_token"
IDENTITY_PROTOCOL: Final = "wsx.token."


class Admission:
    """Reads what a handshake says of who it is."""

    def __init__(self, tokens: Tokens, tickets: Tickets) -> None:
        self.tokens = tokens
        self._tickets = tickets

    async def user(
        self, headers: Mapping[bytes, bytes], offered: Iterable[str], query: Mapping[str, Sequence[str]], *, believe_cookie: bool
    ) -> User | None:
        """The user; None: it says nothing. What is said outright goes before the cookie, and is never passed over when it is bad.

        Raises Unauthenticated, BadRequest for a token in the URL, and Unavailable when the ticket cannot be looked up now.
        """
        if "token" in query:
            message = (
                "a token is never taken from a URL, where logs would keep it: POST /api/v1/tickets makes a ticket for ?ticket="
            )
            raise BadRequest(message)
        if "ticket" in query:
            return await self._tickets.redeem(query["ticket"][0])
        token = next((one.removeprefix(IDENTITY_PROTOCOL) for one in offered if one.startswith(IDENTITY_PROTOCOL)), None)
        if token is None and believe_cookie and b"cookie" in headers:
            token = cookie(headers[b"cookie"].decode("latin-1"), COOKIE)
        return None if token is None else self.tokens.read(token)


def cookie(text: str, wanted: str) -> str | None:
    """The one of this name in the header, whatever odd ones the site has beside it.

    Of several the first, which has the longest path (RFC 6265, 5.4).
    """
    for pair in text.split(";"):
        name, _, value = pair.partition("=")
        if name.strip() == wanted:
            return value.strip().strip('"') or None
    return None
