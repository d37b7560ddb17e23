"""`/ws`: who is it, from where, in which dialect; then the hub has it.

With the ASGI extension `wsx.socket` (our own server) the handshake's task ends here and the idle socket holds none; without it
this loops over ASGI's `receive()`.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs

import structlog

from app.auth.admission import Admission
from app.auth.origins import Origins
from app.hub.close import Close
from app.hub.hub import Hub
from app.kernel.clock import utc_now
from app.kernel.errors import AppError, Forbidden, NotFound, Unavailable
from app.kernel.identity import User
from app.web.addresses import HandshakeLimit
from app.web.asgi_sink import AsgiSink
from app.web.conversation import Conversation, Talk
from app.web.first_word import NOT_SAID, FirstWord, Silence, first_word
from app.web.front import Receive, Scope, Send, request_id_of
from app.wire import wsx

PATH = "/ws"
EXTENSION = "wsx.socket"
_log = structlog.get_logger()


class TooManySockets(AppError):
    """This user has as many connections as one may have."""

    code, status, title = "too_many_sockets", 429, "Too many connections"


class Draining(Unavailable):
    """This node takes no more sockets."""

    code = "draining"


class SocketRules(NamedTuple):
    """Who may open sockets, and how many."""

    origins: Origins
    handshakes: HandshakeLimit
    allow_anonymous: bool
    auth_timeout_s: float
    """How long a socket may take to say who it is, where nobody may be nobody."""
    max_sockets_per_user: int


class Opening(NamedTuple):
    """A handshake, taken apart."""

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

    async def hang_up(self, why: Close, reason: str | None = None) -> None:
        """Close the socket, which was accepted and is no connection yet."""
        await self.send({"type": "websocket.close", "code": why.code, "reason": reason or why.reason})


class SocketDoor:
    """An ASGI application for `websocket` scopes."""

    def __init__(self, talk: Talk, admission: Admission, rules: SocketRules) -> None:
        self._talk = talk
        self._hub: Hub = talk.hub
        self._admission = admission
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one handshake; without the extension, serve the socket to its end."""
        await receive()  # websocket.connect
        opening = Opening.of(scope, receive, send)
        try:
            user = await self._admit(opening)
            if user is not None:
                self._count(user, opening)
        except AppError as error:
            await _deny(scope, send, error)
            return
        await send({"type": "websocket.accept", "subprotocol": wsx.SUBPROTOCOL if wsx.SUBPROTOCOL in opening.offered else None})
        said = None
        if user is None and not self._rules.allow_anonymous:
            said = await self._who(opening)
            if said is None:
                return
            user = said.user
        await self._connect(opening, user, said)

    async def _connect(self, opening: Opening, user: User | None, said: FirstWord | None) -> None:
        """Give an accepted socket to the hub; without the extension, serve it to its end."""
        cursor, session = opening.asked("cursor"), opening.asked("session")
        is_back = cursor is not None or session is not None
        back = await self._hub.returning.recognise(cursor, session, user) if is_back else None
        if user is not None and self._has_ended(user):  # while this has waited
            await opening.hang_up(Close.TOKEN_ENDED)
            return
        conversation = Conversation(self._talk)
        extension = opening.scope.get("extensions", {}).get(EXTENSION)
        plain = AsgiSink(opening.receive, opening.send) if extension is None else None
        conversation.connection = self._hub.connect(
            plain or extension.detach(conversation),
            wsx.dialect(extended=wsx.SUBPROTOCOL in opening.offered, batch_as_oob=opening.query.get("batch") == ["oob"]),
            user,
            address=opening.address,
            user_agent=_shared_text(opening.headers.get(b"user-agent", b"")[:256]),
            back=back,
        )
        if said is not None:
            conversation.received(said.message)  # its handler answers: it is signed in
        if plain is not None:
            await plain.run(conversation)

    async def _who(self, opening: Opening) -> FirstWord | None:
        """Who an accepted socket without a token says that it is. None: it is gone, or was closed."""
        said = await first_word(opening.receive, self._admission.tokens, self._rules.auth_timeout_s)
        if isinstance(said, FirstWord):
            try:
                self._refuse_while_draining()
                self._count(said.user, opening)
            except AppError as error:
                await opening.hang_up(Close.RESTARTING if isinstance(error, Draining) else Close.NOT_ALLOWED, error.title)
            else:
                return said
        elif said is Silence.UNKNOWN:
            await opening.hang_up(Close.TOKEN_ENDED, NOT_SAID)
        return None

    async def _admit(self, opening: Opening) -> User | None:
        """The user behind a handshake, None for nobody.

        Raises Draining, TooManyHandshakes, NotFound, Forbidden, Unauthenticated, BadRequest, Unavailable.
        """
        self._refuse_while_draining()
        self._rules.handshakes.check(opening.address)
        scope, headers = opening.scope, opening.headers
        if scope["path"] != PATH:
            message = f"sockets are at {PATH}"
            raise NotFound(message)
        origin = headers.get(b"origin")
        host = headers.get(b"host", b"").decode("latin-1")
        if origin is not None and not self._rules.origins.allow(origin.decode("latin-1"), scheme=scope["scheme"], host=host):
            message = "pages of this origin may not open sockets here; the operator can list it in WSX_ALLOWED_ORIGINS"
            raise Forbidden(message)
        return await self._admission.user(headers, opening.offered, opening.query, believe_cookie=origin is not None)

    def _refuse_while_draining(self) -> None:
        if self._hub.is_draining:
            raise Draining("this server stops; come back to the next one")

    def _count(self, user: User, opening: Opening) -> None:
        """Raises TooManySockets."""
        session = opening.asked("session")
        if session is None or not self._hub.returning.takes_over(session, user):
            comes_from_elsewhere = session is not None and self._hub.returning.is_of_another_node(session)
            check_sockets(self._hub, user, self._rules.max_sockets_per_user, count_elsewhere=not comes_from_elsewhere)

    def _has_ended(self, user: User) -> bool:
        is_over = user.expires_at is not None and user.expires_at <= utc_now()
        return is_over or self._admission.tokens.revocations.cover(user)


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


async def _deny(scope: Scope, send: Send, error: AppError) -> None:
    """Refuse a handshake with an HTTP answer (ASGI's denial response), or by a bare close where the server knows none."""
    request_id = request_id_of(scope)
    _log.info("handshake refused", request_id=request_id, path=scope["path"], status=error.status, detail=error.detail)
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": error.title})
        return
    problem: dict[str, Any] = {
        "type": f"urn:wsx:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": scope["path"],
        "request_id": request_id,
    }
    names = [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
    await send(
        {
            "type": "websocket.http.response.start",
            "status": int(HTTPStatus(error.status)),
            "headers": [
                (b"content-type", b"application/problem+json"),
                (b"cache-control", b"no-store"),
                (b"x-request-id", request_id.encode()),
                *names,
            ],
        }
    )
    await send({"type": "websocket.http.response.body", "body": json.dumps(problem).encode()})
