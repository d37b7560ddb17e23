"""Tickets: who a page is, in a URL. A word that nobody can guess, good for one handshake within half a minute.

A URL is seen by proxies, logs and histories; a ticket that is read there was used already. What is kept of it is a digest.
"""

import hashlib
import secrets
from typing import Final

import msgspec

from app.auth.revocations import Revocations
from app.hub.once import Once
from app.kernel.clock import utc_now
from app.kernel.errors import Unauthenticated
from app.kernel.identity import User

KEPT_S: Final = 30.0
"""Seconds in which a page opens its socket."""
MAX_TICKET_CHARS: Final = 64
_TICKET_BYTES: Final = 32

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(User).decode


class Tickets:
    """Makes tickets, and takes them."""

    def __init__(self, once: Once, revocations: Revocations) -> None:
        self._once = once
        self._revocations = revocations

    async def issue(self, user: User) -> str:
        """A ticket for this user, whose connection ends when the user's `expires_at` says. Raises Unavailable."""
        ticket = secrets.token_urlsafe(_TICKET_BYTES)
        await self._once.keep(_digest(ticket), _encode(user), KEPT_S)
        return ticket

    async def redeem(self, ticket: str) -> User:
        """The user of a ticket, which is used up with that. Raises Unauthenticated, and Unavailable."""
        kept = await self._once.take(_digest(ticket)) if len(ticket) <= MAX_TICKET_CHARS else None
        if kept is None:
            raise Unauthenticated("this ticket is not good, or not any more: each is for one handshake, within 30 seconds")
        user = _decode(kept)
        if user.expires_at is not None and user.expires_at <= utc_now():
            raise Unauthenticated("what this ticket gives has ended; get a fresh one from the site")
        self._revocations.check(user)
        return user


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode(errors="surrogatepass")).hexdigest()
