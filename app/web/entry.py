"""Who comes in, by whatever way: what is checked before a page becomes a connection of the hub."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

from app.auth.admission import Admission
from app.auth.origins import Origins
from app.hub.connection import Connection
from app.hub.hub import Hub
from app.hub.port import Sink
from app.hub.returning import Back
from app.kernel.clock import utc_now
from app.kernel.errors import AppError, Forbidden, Unavailable
from app.kernel.identity import User
from app.web.addresses import HandshakeLimit
from app.web.front import Receive, Scope, Send
from app.wire.dialect import Dialect

MAX_SHOWN_ORIGIN_CHARS: Final = 200
"""Of an origin that may not connect, what is told: enough to list it, too little to fill a log."""


class TooManySockets(AppError):
    """This user has as many connections as one may have."""

    code, status, title = "too_many_sockets", 429, "Too many connections"


class Draining(Unavailable):
    """This node takes no more connections."""

    code = "draining"


class EntryRules(NamedTuple):
    """Who may connect, and how many."""

    origins: Origins
    handshakes: HandshakeLimit
    allow_anonymous: bool
    auth_timeout_s: float
    """How long a socket may take to say who it is, where nobody may be nobody."""
    max_sockets_per_user: int


class Opening(NamedTuple):
    """A handshake, or the request for a stream, taken apart."""

    scope: Scope
    receive: Receive
    send: Send
    headers: Mapping[bytes, bytes]
    query: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, scope: Scope, receive: Receive, send: Send) -> Self:
        """As it came."""
        raw: bytes = scope.get("query_string", b"")
        return cls(
            scope, receive, send, dict(scope["headers"]), parse_qs(raw.decode("latin-1"), keep_blank_values=True) if raw else {}
        )

    @property
    def offered(self) -> Sequence[str]:
        """The subprotocols that it offers."""
        offered: Sequence[str] = self.scope.get("subprotocols", ())
        return offered

    @property
    def address(self) -> str:
        """From where it comes; empty: that is not known."""
        address: str = (self.scope.get("client") or ("",))[0]
        return address

    def asked(self, name: str) -> str | None:
        """What stands under this name in the query; None: nothing."""
        return self.query[name][0] or None if name in self.query else None

    def said(self, name: bytes) -> str | None:
        """What a header says; None: nothing."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


class Entry:
    """The checks, and the connection behind them."""

    def __init__(self, hub: Hub, admission: Admission, rules: EntryRules) -> None:
        self.rules = rules
        self.tokens = admission.tokens
        self._hub = hub
        self._admission = admission

    def arrive(self, opening: Opening) -> None:
        """Somebody knocks. Raises Draining, TooManyHandshakes."""
        self.refuse_while_draining()
        self.rules.handshakes.check(opening.address)

    async def admit(self, opening: Opening, *, is_read: bool = False) -> User | None:
        """The user behind a handshake, None for nobody. `is_read`: it is a plain request, which its page reads.

        Raises Forbidden, Unauthenticated, BadRequest, Unavailable.
        """
        origin = opening.said(b"origin")
        if origin is not None and not self._allows(origin, opening):
            shown = origin[:MAX_SHOWN_ORIGIN_CHARS]
            message = f"pages of {shown!r} may not connect here; the operator can list it in WSX_ALLOWED_ORIGINS"
            raise Forbidden(message)
        believe_cookie = origin is not None or (is_read and self._is_from_our_page(opening))
        return await self._admission.user(opening.headers, opening.offered, opening.query, believe_cookie=believe_cookie)

    def refuse_while_draining(self) -> None:
        """Raises Draining."""
        if self._hub.is_draining:
            raise Draining("this server stops; come back to the next one")

    def count(self, user: User, opening: Opening) -> None:
        """Raises TooManySockets."""
        session = opening.asked("session")
        if session is None or not self._hub.returning.takes_over(session, user):
            comes_from_elsewhere = session is not None and self._hub.returning.is_of_another_node(session)
            check_sockets(self._hub, user, self.rules.max_sockets_per_user, count_elsewhere=not comes_from_elsewhere)

    async def recognise(self, opening: Opening, user: User | None, last_heard: str | None = None) -> Back | None:
        """What is known of a page that says that it was here before. `last_heard`: a newer cursor than that in its address."""
        cursor, session = last_heard or opening.asked("cursor"), opening.asked("session")
        if cursor is None and session is None:
            return None
        return await self._hub.returning.recognise(cursor, session, user)

    def has_ended(self, user: User | None) -> bool:
        """Whether the token of somebody who has come in is none any more."""
        if user is None:
            return False
        is_over = user.expires_at is not None and user.expires_at <= utc_now()
        return is_over or self.tokens.revocations.cover(user)

    def connect(self, opening: Opening, sink: Sink, dialect: Dialect, user: User | None, back: Back | None) -> Connection:
        """Give it to the hub."""
        agent = _shared_text(opening.headers.get(b"user-agent", b"")[:256])
        return self._hub.connect(sink, dialect, user, address=opening.address, user_agent=agent, back=back)

    def _allows(self, origin: str, opening: Opening) -> bool:
        return self.rules.origins.allow(origin, scheme=opening.scope["scheme"], host=opening.said(b"host") or "")

    def _is_from_our_page(self, opening: Opening) -> bool:
        """Browsers name no origin when a page asks its own server. What they say in its place no page can make up, either."""
        site = opening.said(b"sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        try:
            referrer = urlsplit(opening.said(b"referer") or "")
        except ValueError:
            return False
        return bool(referrer.netloc) and self._allows(f"{referrer.scheme}://{referrer.netloc}", opening)


def check_sockets(hub: Hub, user: User, limit: int, *, count_elsewhere: bool = True) -> None:
    """Raises TooManySockets where the user has as many connections as one may have, on all nodes as far as this one knows.

    A page that was on another node has its old connection there, or had it a moment ago: for it only those of this node count.
    """
    elsewhere = hub.roster.connections_elsewhere(user.id) if count_elsewhere else 0
    if hub.registry.open_sockets_of(user.id) + elsewhere >= limit:
        message = f"this user has {limit} connections already (WSX_MAX_SOCKETS_PER_USER)"
        raise TooManySockets(message)


@lru_cache(maxsize=256)
def _shared_text(value: bytes) -> str:
    """One text for all pages of the same browser: 150 bytes less for each."""
    return value.decode("latin-1")
