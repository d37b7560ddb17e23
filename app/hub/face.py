"""The hub's face: what site code imports as `from app import wsx`.

Handlers are registered when their module is imported, before any server runs; sending needs a running one. So the face keeps the
handlers and hooks for as long as the process lives, and is bound to a hub while a server runs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable

import structlog
from markupsafe import Markup

from app.hub.audience import Audience, Connections, Users, everyone
from app.hub.connection import Connection
from app.hub.handlers import AnyHandler, Handlers
from app.hub.hooks import F
from app.hub.hub import Hub
from app.hub.publication import Part, Publication, Receipt, one
from app.kernel.ids import new_short_id
from app.kernel.transaction import refuse_inside_transaction
from app.wire.swap import DEFAULT_SWAP
from app.wire.update import Update

_log = structlog.get_logger()


class NotRunning(RuntimeError):
    """Nothing can be sent: no server runs in this process. Send from handlers, hooks, or tasks that they start."""


def html(template: str, *values: object, **named: object) -> Markup:
    """Fill `{}` and `{name}` in the template with escaped values: `html("<b>{}</b>", text)`.

    The template is trusted, each value is not, unless it is itself the result of `html`.
    """
    return Markup(template).format(*values, **named)


class Wsx:
    """Send to pages, ask who is there, answer what they say.

    The sending calls may be made without `await`: they are carried out in the order of the calls, and a failure is logged.
    Awaited, they answer with a Receipt.
    """

    def __init__(self) -> None:
        self.handlers = Handlers()
        self._hub: Hub | None = None
        self._hooks: list[tuple[str, Callable[[Connection], object]]] = []
        self._sending: set[asyncio.Task[Receipt]] = set()

    # -- answering ---------------------------------------------------------------------------------------------------
    def on(self, name: str = "") -> Callable[[AnyHandler], AnyHandler]:
        """Register a handler: `@wsx.on("like")`. Without a name: the catch-all."""
        return self.handlers.on(name)

    def on_connection(self, function: F) -> F:
        """Call the function, plain or async, with each connection that opens."""
        return self._hook("on_connection", function)

    def on_disconnection(self, function: F) -> F:
        """Call the function, plain or async, with each connection that is gone."""
        return self._hook("on_disconnection", function)

    # -- sending -----------------------------------------------------------------------------------------------------
    def broadcast(self, target: str, html: str, swap: str = DEFAULT_SWAP, *, audience: Audience = everyone) -> Awaitable[Receipt]:
        """Swap HTML into the pages of an audience; without one, of everyone."""
        return self.publish(audience, Update(target, html, swap))

    def send_to_connection(self, connection_id: str, target: str, html: str, swap: str = DEFAULT_SWAP) -> Awaitable[Receipt]:
        """Swap HTML into one page. Nothing happens when the connection is gone: the receipt says matched 0."""
        return self.publish(Connections(frozenset({connection_id})), Update(target, html, swap))

    def send_to_user(self, user_id: str, target: str, html: str, swap: str = DEFAULT_SWAP) -> Awaitable[Receipt]:
        """Swap HTML into all pages of one user."""
        return self.publish(Users(frozenset({user_id})), Update(target, html, swap))

    def publish(self, audience: Audience, update: Update) -> Awaitable[Receipt]:
        """Send one update to an audience."""
        return self._send(one(audience, update))

    def batch(self, updates: Iterable[tuple[Audience, Update]]) -> Awaitable[Receipt]:
        """Send several updates; each connection gets one message with just what it may hear, in this order."""
        parts = tuple(Part(audience, update) for audience, update in updates)
        return self._send(Publication(new_short_id(), parts, is_batch=True))

    # -- asking ------------------------------------------------------------------------------------------------------
    def connections(self, audience: Audience = everyone) -> Collection[Connection]:
        """The connections of an audience, as they are now."""
        return tuple(self.hub.registry.resolve(audience))

    def connection(self, connection_id: str) -> Connection | None:
        """The connection of this id, or None when it is gone."""
        return self.hub.registry.get(connection_id)

    def connection_count(self) -> int:
        """How many connections are open."""
        return len(self.hub.registry)

    # -- being bound -------------------------------------------------------------------------------------------------
    @property
    def hub(self) -> Hub:
        """The running hub. Raises NotRunning."""
        if self._hub is None:
            raise NotRunning(NotRunning.__doc__)
        return self._hub

    def bind(self, hub: Hub) -> None:
        """Belong to this hub until `unbind`. Raises RuntimeError when another server runs in this process."""
        if self._hub is not None:
            message = "this process already runs a server; one process is one node"
            raise RuntimeError(message)
        self._hub = hub
        for name, function in self._hooks:
            getattr(hub, name)(function)

    def unbind(self) -> None:
        """Belong to no hub."""
        self._hub = None

    def _hook(self, name: str, function: F) -> F:
        self._hooks.append((name, function))
        if self._hub is not None:
            getattr(self._hub, name)(function)
        return function

    def _send(self, publication: Publication) -> Awaitable[Receipt]:
        refuse_inside_transaction()
        task = asyncio.get_running_loop().create_task(self.hub.publish(publication))
        self._sending.add(task)
        task.add_done_callback(self._sent)
        return task

    def _sent(self, task: asyncio.Task[Receipt]) -> None:
        self._sending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("send failed", exc_info=error)


wsx = Wsx()
"""The face of this process."""
