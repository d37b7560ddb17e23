"""`/ws`, `/ws/htmx`, `/ws/turbo`: who is it, from where, in which dialect; then the hub has it.

With the ASGI extension `wsx.socket` (our own server) the handshake's task ends here and the idle socket holds none; without it
this loops over ASGI's `receive()`.
"""

from collections.abc import Mapping
from typing import Final

import structlog

from app.hub.close import Close
from app.kernel.errors import AppError, NotFound
from app.kernel.identity import User
from app.web.asgi_sink import AsgiSink
from app.web.conversation import Conversation, Talk
from app.web.entry import Draining, Entry, Opening
from app.web.errors import problem
from app.web.first_word import NOT_SAID, FirstWord, Silence, first_word
from app.web.front import SOCKETS, Receive, Scope, Send
from app.wire import htmx, turbo, wsx
from app.wire.dialect import Dialect

PATH: Final = SOCKETS
OTHER_DIALECTS: Final[Mapping[str, Dialect]] = {"/ws/htmx": htmx.DIALECT, "/ws/turbo": turbo.DIALECT}
"""Of clients that know nothing of ours, by their paths."""
EXTENSION = "wsx.socket"
_log = structlog.get_logger()


class SocketDoor:
    """An ASGI application for `websocket` scopes."""

    def __init__(self, talk: Talk, entry: Entry, path: str = PATH, other_dialects: Mapping[str, Dialect] = OTHER_DIALECTS) -> None:
        """`path`: where pages of ours knock; `other_dialects`: where others do."""
        self._talk = talk
        self._entry = entry
        self._path = path
        self._other_dialects = other_dialects

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one handshake; without the extension, serve the socket to its end."""
        await receive()  # websocket.connect
        opening = Opening.of(scope, receive, send)
        try:
            self._entry.arrive(opening)
            dialect = self._dialect(opening)
            user = await self._entry.admit(opening)
            if user is not None:
                self._entry.count(user, opening)
        except AppError as error:
            await _deny(scope, send, error)
            return
        await send({"type": "websocket.accept", "subprotocol": wsx.SUBPROTOCOL if wsx.SUBPROTOCOL in opening.offered else None})
        said = None
        if user is None and not self._entry.rules.allow_anonymous:
            said = await self._who(opening, dialect)
            if said is None:
                return
            user = said.user
        await self._connect(opening, dialect, user, said)

    def _dialect(self, opening: Opening) -> Dialect:
        """Raises NotFound."""
        path = opening.scope["path"]
        if path == self._path:
            return wsx.dialect(extended=wsx.SUBPROTOCOL in opening.offered, batch_as_oob=opening.query.get("batch") == ["oob"])
        if path not in self._other_dialects:
            message = f"sockets are at {', '.join((self._path, *self._other_dialects))}"
            raise NotFound(message)
        return self._other_dialects[path]

    async def _connect(self, opening: Opening, dialect: Dialect, user: User | None, said: FirstWord | None) -> None:
        """Give an accepted socket to the hub; without the extension, serve it to its end."""
        back = await self._entry.recognise(opening, user)
        if self._entry.has_ended(user):  # while this has waited
            await _hang_up(opening, Close.TOKEN_ENDED)
            return
        conversation = Conversation(self._talk)
        extension = opening.scope.get("extensions", {}).get(EXTENSION)
        plain = AsgiSink(opening.receive, opening.send) if extension is None else None
        conversation.connection = self._entry.connect(opening, plain or extension.detach(conversation), dialect, user, back)
        if said is not None:
            conversation.received(said.message)  # its handler answers: it is signed in
        if plain is not None:
            await plain.run(conversation)

    async def _who(self, opening: Opening, dialect: Dialect) -> FirstWord | None:
        """Who an accepted socket without a token says that it is. None: it is gone, or was closed."""
        said = await first_word(opening.receive, dialect, self._entry.tokens, self._entry.rules.auth_timeout_s)
        if isinstance(said, FirstWord):
            try:
                self._entry.refuse_while_draining()
                self._entry.count(said.user, opening)
            except AppError as error:
                await _hang_up(opening, Close.RESTARTING if isinstance(error, Draining) else Close.NOT_ALLOWED, error.title)
            else:
                return said
        elif said is Silence.UNKNOWN:
            await _hang_up(opening, Close.TOKEN_ENDED, NOT_SAID)
        return None


async def _hang_up(opening: Opening, why: Close, reason: str | None = None) -> None:
    """Close the socket, which was accepted and is no connection yet."""
    await opening.send({"type": "websocket.close", "code": why.code, "reason": reason or why.reason})


async def _deny(scope: Scope, send: Send, error: AppError) -> None:
    """Refuse a handshake with an HTTP answer (ASGI's denial response), or by a bare close where the server knows none."""
    request_id = scope["state"]["request_id"]
    _log.info("handshake refused", path=scope["path"], status=error.status, detail=error.detail)
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": error.title})
        return
    status, headers, body = problem(error, scope["path"], request_id)
    named = [(b"x-request-id", request_id.encode()), *headers]
    await send({"type": "websocket.http.response.start", "status": status, "headers": named})
    await send({"type": "websocket.http.response.body", "body": body})
