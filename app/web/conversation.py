"""What one page says, and what it is answered: read, limited, handed to its handler in order, answered.

An idle page costs no task: one runs only while there is something to handle.
"""

import asyncio
from collections import Counter, deque
from html import escape
from http import HTTPStatus
from typing import Final, NamedTuple

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars

from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.handlers import Handlers, Reply, Request, replies_of
from app.hub.hub import Hub
from app.hub.paced import QueueFull
from app.kernel.bucket import Bucket
from app.kernel.errors import AppError, WrongField, why
from app.wire import inbound
from app.wire.prepared import Prepared
from app.wire.rfc6455 import TOO_BIG
from app.wire.swap import DEFAULT_SWAP, check_swap, style_of
from app.wire.update import Update

MAX_WAITING = 16
"""Messages of one page that wait for its handler. From then on the socket is not read: the page waits, not our memory."""
MAX_UNREADABLE_IN_A_ROW = 10
"""Texts that are no message at all; then the connection is closed with 1008."""
MAX_MISSING_TOLD = 100
"""Names without a handler that the log is told: a site has fewer mistakes, and strangers fill neither log nor memory."""
MAX_SHOWN_NAME_CHARS = 100
OUTCOMES: Final = ("answered", "refused", "unavailable", "failed", "unknown", "limited", "unreadable")
"""`refused`: by a handler's own no; `unavailable`: what it needs is away; `failed`: a mistake of the handler's. The last three come
to no handler: none has the name, the page asks too often, or says nothing that can be read."""

_SWAP_OF_ERRORS = {"outerHTML": "afterbegin", "delete": "afterbegin", "textContent": "innerHTML"}
"""A refused form must not disappear behind its error, and tags are not for people to read."""

_log = structlog.get_logger()


class Talk(NamedTuple):
    """What all conversations share."""

    hub: Hub
    handlers: Handlers
    rate_per_s: float
    burst: int
    running: set[asyncio.Task[None]]
    missing: set[str]
    """Names that pages asked for and no handler has, as far as they were told in the log."""
    outcomes: Counter[str]
    """How often what pages asked had which end, by one of OUTCOMES."""


class Conversation:
    """Listens to one socket; `connection` is set as soon as the hub knows it."""

    __slots__ = ("_bucket", "_talk", "_unreadable", "_waiting", "_working", "connection")

    connection: Connection

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._bucket: Bucket | None = None
        self._waiting: deque[Request] | None = None
        self._working = False
        self._unreadable = 0

    def received(self, message: str | bytes) -> None:
        """A message came: read it and queue it for its handler."""
        connection = self.connection
        connection.received_count += 1
        connection.touch()
        try:
            request = connection.dialect.read(message)
        except inbound.Unreadable as error:
            self._talk.outcomes["unreadable"] += 1
            self._refuse_unreadable(error)
            return
        self._unreadable = 0
        if not self._allowed(request):
            return
        if request.type == "active":
            self._tell(connection.dialect.encode_done(request.id))  # at once: scripts of a page see no ping
        else:
            self._enqueue(request)

    def writable(self) -> None:
        """The socket takes more."""
        self._talk.hub.delivery.unblock(self.connection.outbox)

    def stalled(self) -> None:
        """The page has slept for too long."""
        self.connection.close(Close.SLOW)

    def broken(self, code: int) -> None:
        """The page is being closed for its frames: note it, unless we had hung up before."""
        if self.connection.closed_as is None:
            self.connection.closed_as = Close.TOO_BIG if code == TOO_BIG else Close.MALFORMED

    def closed(self, code: int, reason: str) -> None:
        """The socket is gone. What its page has asked for is still done: people submit and leave."""
        self._talk.hub.disconnect(self.connection, code, reason)

    def _allowed(self, request: Request) -> bool:
        talk = self._talk
        if self._bucket is None:
            self._bucket = Bucket(talk.burst)
        if self._bucket.take(talk.rate_per_s, talk.burst):
            return True
        talk.outcomes["limited"] += 1
        if self._bucket.refused_in_a_row > 2 * talk.burst:
            self.connection.close(Close.TOO_MANY_MESSAGES)
        else:
            detail = f"more than {talk.rate_per_s:g} messages a second (WSX_SOCKET_RATE_PER_S); wait a moment"
            self._answer_error(request, "rate_limited", "Too many messages. Please wait a moment.", detail)
        return False

    def _refuse_unreadable(self, error: inbound.Unreadable) -> None:
        self._unreadable += 1
        if self._unreadable >= MAX_UNREADABLE_IN_A_ROW:
            self.connection.close(Close.PROTOCOL)
        else:
            self._answer_error(error.request, "bad_message", "This page sent something that cannot be read.", str(error))

    def _enqueue(self, request: Request) -> None:
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(request)
        if len(self._waiting) == MAX_WAITING:
            self.connection.outbox.sink.pause()
        if not self._working:
            self._working = True
            task = asyncio.get_running_loop().create_task(self._work(self._waiting))
            self._talk.running.add(task)
            task.add_done_callback(self._talk.running.discard)

    async def _work(self, waiting: deque[Request]) -> None:
        clear_contextvars()  # of the handshake, where the first message came with it
        bind_contextvars(connection=self.connection.id)
        try:
            if (catch_up := self.connection.outbox.catch_up) is not None:
                await catch_up.until_placed()
            while waiting and self.connection.closed_as is None:  # whom we closed may do nothing more
                request = waiting.popleft()
                if len(waiting) == MAX_WAITING - 1:
                    self.connection.outbox.sink.resume()
                await self._handle(request)
                await asyncio.sleep(0)  # a page that sends much at once does not keep others from their turn
        finally:
            waiting.clear()
            self._working = False

    async def _handle(self, request: Request) -> None:
        handler, name = self._talk.handlers.find(request), request.handler or request.trigger
        bind_contextvars(request_id=request.id, handler=name[:MAX_SHOWN_NAME_CHARS])
        if handler is None:
            self._answer_no_handler(request)
            return
        try:
            replies = replies_of(await handler(request, self.connection))
            for reply in replies:
                self._talk.hub.send(self.connection, _update(request, reply), request.id)
            if not replies:
                self._tell(self.connection.dialect.encode_done(request.id))
            self._talk.outcomes["answered"] += 1
        except AppError as error:
            if error.status < HTTPStatus.INTERNAL_SERVER_ERROR or isinstance(error, QueueFull):
                self._answer_refusal(request, error)
            else:
                self._answer_unavailable(request, error)
        except (Exception, asyncio.CancelledError):
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            self._talk.outcomes["failed"] += 1
            _log.exception("handler failed")
            self._answer_error(
                request,
                "handler_failed",
                "Something went wrong on our side.",
                "the handler failed; the server's log has it under this id",
            )

    def _answer_no_handler(self, request: Request) -> None:
        name = request.handler or request.trigger
        self._talk.outcomes["unknown"] += 1
        missing = self._talk.missing
        if name not in missing and len(missing) < MAX_MISSING_TOLD:  # each once: pages may ask for it many times a second
            missing.add(name)
            _log.warning("no handler has this name")
        sentence = "This page asked for something that does not exist here."
        self._answer_error(request, "no_handler", sentence, f"no handler is named {name!r}")

    def _answer_unavailable(self, request: Request, error: AppError) -> None:
        """It did not work, and that is not the page's fault: the log has what it was."""
        self._talk.outcomes["unavailable"] += 1
        _log.error("handler could not be carried out", **why(error))
        self._answer_error(request, error.code, "This does not work at the moment. Please try again.", error.detail)

    def _answer_error(self, request: Request, code: str, sentence: str, detail: str) -> None:
        """A code for programs, then a fixed sentence for people. What went wrong inside is for the log only."""
        self._tell(self.connection.dialect.encode_error(request.id, code, detail))
        if request.target:
            self._show_error(request, f'<div class="error" data-request-id="{escape(request.id)}">{sentence}</div>')

    def _answer_refusal(self, request: Request, error: AppError) -> None:
        """A handler's own no, in its own words."""
        self._talk.outcomes["refused"] += 1
        self._tell(self.connection.dialect.encode_error(request.id, error.code, error.detail))
        if request.target:
            self._show_error(request, f'<div class="error">{escape(error.detail)}</div>')

    def _show_error(self, request: Request, html: str) -> None:
        asked = _asked_swap(request)
        swap = _SWAP_OF_ERRORS.get(style_of(asked), asked)
        self._talk.hub.send(self.connection, Update(request.target, html, swap), request.id)

    def _tell(self, payload: bytes | None) -> None:
        if payload is not None:
            self._talk.hub.delivery.offer(self.connection, Prepared(payload))


def _update(request: Request, reply: Reply) -> Update:
    swap = reply.swap if reply.swap is not None else _asked_swap(request)
    return Update(reply.target if reply.target is not None else request.target, reply.html, swap, reply.oob)


def _asked_swap(request: Request) -> str:
    """The swap that the page asked for; the default where it asked for one that does not exist."""
    swap = " ".join(request.swap.split())
    try:
        check_swap(swap)
    except WrongField:
        return DEFAULT_SWAP
    return swap
