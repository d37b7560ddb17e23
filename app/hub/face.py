"""The hub's face: what site code imports as `from app import wsx`.

Handlers are registered when their module is imported, before any server runs; sending needs a running one. So the face keeps the
handlers and hooks for as long as the process lives, and is bound to a hub while a server runs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable

import structlog
from markupsafe import Markup
from msgspec import convert

from app.hub.audience import Audience, Connections, Rooms, Unsettled, Users, everyone
from app.hub.connection import Connection
from app.hub.events import Events
from app.hub.geometry import Place
from app.hub.handlers import AnyHandler, Handlers
from app.hub.hooks import F
from app.hub.hub import Hub
from app.hub.paced import MAX_WAITING, Paced, add_queue
from app.hub.publication import Part, Publication, Receipt, one
from app.hub.settling import is_settled
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
        self.events = Events()
        """What happened: `wsx.events.on("user.online", function)`, `wsx.events.emit("order.paid", order)`."""
        self._queues: list[Paced] = []
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

    def send_to_room(self, room_id: str, target: str, html: str, swap: str = DEFAULT_SWAP) -> Awaitable[Receipt]:
        """Swap HTML into all pages that are in a room now."""
        return self.publish(Rooms(frozenset({room_id})), Update(target, html, swap))

    def publish(self, audience: Audience, update: Update) -> Awaitable[Receipt]:
        """Send one update to an audience."""
        return self._send(one(audience, update))

    def batch(self, updates: Iterable[tuple[Audience, Update]]) -> Awaitable[Receipt]:
        """Send several updates; each connection gets one message with just what it may hear, in this order."""
        parts = tuple(Part(audience, update) for audience, update in updates)
        return self._send(Publication(new_short_id(), parts, is_batch=True))

    def paced(self, max_per_s: float, *, max_waiting: int = MAX_WAITING, name: str = "") -> Paced:
        """A broadcaster that sends at most so many a second; the rest waits in a bounded queue. `name`: in metrics and logs.

        May be made when a module is imported. Raises ValueError for a pace that is none, and for a name in use.
        """
        queue = Paced(name or f"paced-{len(self._queues) + 1}", self._publish_now, max_per_s=max_per_s, max_waiting=max_waiting)
        if self._hub is not None:
            add_queue(self._hub.paced_queues, queue)
        add_queue(self._queues, queue)
        return queue

    # -- placing -----------------------------------------------------------------------------------------------------
    def join(self, connection: Connection, room_id: str) -> None:
        """Let this page hear a room, whoever belongs to it. Nothing is stored, and nobody is told: see the handler `join-room`."""
        if not connection.outbox.closed:
            self.hub.registry.join(connection, room_id)

    def leave(self, connection: Connection, room_id: str) -> None:
        """Let this page hear a room no longer."""
        self.hub.registry.leave(connection, room_id)

    def locate(self, connection: Connection, latitude: float, longitude: float) -> None:
        """Note where this page is, for the audience `near`. Raises ValueError for a place that is not on the globe."""
        place = convert({"latitude": latitude, "longitude": longitude}, Place)
        if not connection.outbox.closed:
            self.hub.locate(connection, place)

    # -- asking ------------------------------------------------------------------------------------------------------
    def connections(self, audience: Audience = everyone) -> Collection[Connection]:
        """The connections of an audience, as they are now. Raises Unsettled where the database must be asked: see `find`."""
        if not is_settled(audience):  # also where the registry would find nobody to ask about
            raise Unsettled(Unsettled.__doc__)
        return tuple(self.hub.registry.resolve(audience))

    async def find(self, audience: Audience) -> Collection[Connection]:
        """The connections of any audience, also of followers and friends. Raises Unavailable."""
        return await self.hub.find(audience)

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
        """Belong to this hub until `unbind`.

        Raises RuntimeError when another server runs in this process, ValueError when the hub has a paced queue of the same name.
        """
        if self._hub is not None:
            message = "this process already runs a server; one process is one node"
            raise RuntimeError(message)
        for queue in self._queues:
            add_queue(hub.paced_queues, queue)
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

    async def _publish_now(self, publication: Publication) -> Receipt:
        return await self.hub.publish(publication)

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
