"""`/ws`: who is it, from where, in which dialect; then the hub has it.

With the ASGI extension `wsx.socket` (our own server) the handshake's task ends here and the idle socket holds none; without it
this loops over ASGI's `receive()`.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

import structlog

from app.auth.origins import Origins
from app.auth.tokens import Tokens
from app.hub.hub import Hub
from app.kernel.errors import AppError, Forbidden, NotFound, Unauthenticated, Unavailable
from app.kernel.identity import User
from app.web.asgi_sink import AsgiSink
from app.web.conversation import Conversation, Talk
from app.web.front import Receive, Scope, Send, request_id_of
from app.wire import wsx

PATH = "/ws"
EXTENSION = "wsx.socket"
COOKIE = "wsx_token"
TOKEN_PROTOCOL = "wsx.token."  # noqa: S105 - the name of a subprotocol, not a secret


_log = structlog.get_logger()


class TooManySockets(AppError):
    """This user has as many connections as one may have."""

    code, status, title = "too_many_sockets", 429, "Too many connections"


class Draining(Unavailable):
    """This node takes no more sockets."""

    code = "draining"


class SocketDoor:
    """An ASGI application for `websocket` scopes."""

    def __init__(self, talk: Talk, tokens: Tokens, origins: Origins, *, allow_anonymous: bool, max_sockets_per_user: int) -> None:
        self._talk = talk
        self._hub: Hub = talk.hub
        self._tokens = tokens
        self._origins = origins
        self._allow_anonymous = allow_anonymous
        self._max_sockets_per_user = max_sockets_per_user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one handshake; without the extension, serve the socket to its end."""
        await receive()  # websocket.connect
        headers = _headers(scope)
        offered: list[str] = scope.get("subprotocols", [])
        query = _query(scope)
        cursor, session = (query.get(name, [None])[0] for name in ("cursor", "session"))
        try:
            user = self._admit(scope, headers, offered, session)
        except AppError as error:
            await _deny(scope, send, error)
            return
        extended = wsx.SUBPROTOCOL in offered
        await send({"type": "websocket.accept", "subprotocol": wsx.SUBPROTOCOL if extended else None})
        conversation = Conversation(self._talk)
        extension = scope.get("extensions", {}).get(EXTENSION)
        plain = AsgiSink(receive, send) if extension is None else None
        is_back = cursor is not None or session is not None
        back = await self._hub.returning.recognise(cursor, session, user) if is_back else None
        conversation.connection = self._hub.connect(
            plain or extension.detach(conversation),
            wsx.dialect(extended=extended, batch_as_oob=query.get("batch") == ["oob"]),
            user,
            address=(scope.get("client") or ("",))[0],
            user_agent=_shared_text(headers.get(b"user-agent", b"")[:256]),
            back=back,
        )
        if plain is not None:
            await plain.run(conversation)

    def _admit(self, scope: Scope, headers: Mapping[bytes, bytes], offered: list[str], session: str | None) -> User | None:
        """The user behind a handshake, None for nobody. Raises Draining, NotFound, Forbidden, Unauthenticated, TooManySockets."""
        if self._hub.is_draining:
            raise Draining("this server stops; come back to the next one")
        if scope["path"] != PATH:
            message = f"sockets are at {PATH}"
            raise NotFound(message)
        origin = headers.get(b"origin")
        host = headers.get(b"host", b"").decode("latin-1")
        if origin is not None and not self._origins.allow(origin.decode("latin-1"), scheme=scope["scheme"], host=host):
            message = "pages of this origin may not open sockets here; the operator can list it in WSX_ALLOWED_ORIGINS"
            raise Forbidden(message)
        token = _token(headers, offered, believe_cookie=origin is not None)
        if token is None:
            if self._allow_anonymous:
                return None
            message = "a connection token is needed"
            raise Unauthenticated(message)
        user = self._tokens.read(token)
        if session is None or not self._hub.returning.takes_over(session, user):
            comes_from_elsewhere = session is not None and self._hub.returning.is_of_another_node(session)
            check_sockets(self._hub, user, self._max_sockets_per_user, count_elsewhere=not comes_from_elsewhere)
        return user


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


def _headers(scope: Scope) -> dict[bytes, bytes]:
    return dict(scope["headers"])


def _query(scope: Scope) -> Mapping[str, Sequence[str]]:
    raw: bytes = scope.get("query_string", b"")
    return parse_qs(raw.decode("latin-1")) if raw else {}


def _token(headers: Mapping[bytes, bytes], offered: list[str], *, believe_cookie: bool) -> str | None:
    """The token of a handshake. A cookie is believed only with an `Origin`: without one it is no browser that sends it."""
    for protocol in offered:
        if protocol.startswith(TOKEN_PROTOCOL):
            return protocol.removeprefix(TOKEN_PROTOCOL)
    if not believe_cookie or b"cookie" not in headers:
        return None
    return _cookie(headers[b"cookie"].decode("latin-1"))


def _cookie(text: str) -> str | None:
    """Ours, whatever odd cookies the site has beside it. Of several the first, which has the longest path (RFC 6265, 5.4)."""
    for pair in text.split(";"):
        name, _, value = pair.partition("=")
        if name.strip() == COOKIE:
            return value.strip().strip('"') or None
    return None


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
