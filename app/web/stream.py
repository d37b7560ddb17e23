"""`/sse`: the same updates as server-sent events. Who comes in is checked as at a socket, and says nothing afterwards."""

from http import HTTPStatus
from typing import Final

import structlog

from app.hub.close import Close
from app.kernel.errors import AppError, BadRequest, Unauthenticated
from app.web.addresses import TooManyHandshakes
from app.web.answer import Answer, Header, send_answer
from app.web.conversation import Conversation, Talk
from app.web.entry import Draining, Entry, Opening
from app.web.errors import problem
from app.web.event_sink import REFUSED_SPREAD_MS, EventSink, retry_within
from app.web.front import Receive, Scope, Send
from app.wire.dialect import Dialect
from app.wire.events import STREAMS

PATH: Final = "/sse"
EXTENSION: Final = "wsx.cut"
MEDIA_TYPE: Final = "text/event-stream"
_HEADERS: Final[tuple[Header, ...]] = (
    (b"content-type", f"{MEDIA_TYPE}; charset=utf-8".encode()),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
)
"""Nobody on the way is to keep what comes, or to wait for more of it."""

_log = structlog.get_logger()


class NotGet(AppError):
    """A stream is only ever read."""

    code, status, title = "method_not_allowed", int(HTTPStatus.METHOD_NOT_ALLOWED), HTTPStatus.METHOD_NOT_ALLOWED.phrase

    def __init__(self) -> None:
        super().__init__(f"{PATH} is read by GET")
        self.headers = {"Allow": "GET"}


class StreamDoor:
    """An ASGI application for `http` scopes."""

    def __init__(self, talk: Talk, entry: Entry, *, heartbeat_s: float) -> None:
        self._talk = talk
        self._entry = entry
        self._heartbeat_s = heartbeat_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a stream, and serve it to its end."""
        opening = Opening.of(scope, receive, send)
        try:
            conversation, sink = await self._open(opening)
        except AppError as error:
            _log.info("stream refused", status=error.status, detail=error.detail)
            await send_answer(_refusal(error, opening), send)
        else:
            await sink.run(conversation)

    async def _open(self, opening: Opening) -> tuple[Conversation, EventSink]:
        """Raises Draining, TooManyHandshakes, TooManySockets, Forbidden, Unauthenticated, BadRequest, Unavailable, NotGet."""
        if opening.scope["method"] != "GET":
            raise NotGet
        self._entry.arrive(opening)
        dialect = _dialect(opening)
        user = await self._entry.admit(opening, is_read=True)
        if user is not None:
            self._entry.count(user, opening)
        elif not self._entry.rules.allow_anonymous:
            message = "a connection token is needed, in the cookie wsx_token, or a ticket; nobody may be nobody here"
            raise Unauthenticated(message)
        back = await self._entry.recognise(opening, user, opening.said(b"last-event-id"))
        if self._entry.has_ended(user):  # while this has waited
            raise Unauthenticated(Close.TOKEN_ENDED.reason)
        cut = opening.scope.get("extensions", {}).get(EXTENSION, {}).get("cut")
        sink = EventSink(opening.receive, opening.send, _headers(opening), heartbeat_s=self._heartbeat_s, cut=cut)
        conversation = Conversation(self._talk)
        conversation.connection = self._entry.connect(opening, sink, dialect, user, back)
        return conversation, sink


def _dialect(opening: Opening) -> Dialect:
    """Raises BadRequest."""
    name = opening.asked("dialect") or "wsx"
    if name not in STREAMS:
        message = f"no dialect is named {name!r}; there are {', '.join(STREAMS)}"
        raise BadRequest(message)
    return STREAMS[name]


def _headers(opening: Opening) -> list[Header]:
    """Pages of other origins that may connect may also read (Fetch, 3.3)."""
    origin = opening.headers.get(b"origin")
    if origin is None:
        return [*_HEADERS]
    return [
        *_HEADERS,
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"origin"),
    ]


def _refusal(error: AppError, opening: Opening) -> Answer:
    """An `EventSource` never comes back after an error. What will be well in a moment is told it as a stream that has ended."""
    if isinstance(error, Draining | TooManyHandshakes) and MEDIA_TYPE in (opening.said(b"accept") or ""):
        return Answer(int(HTTPStatus.OK), _headers(opening), retry_within(REFUSED_SPREAD_MS))
    return problem(error, opening.scope["path"], opening.scope["state"]["request_id"])
