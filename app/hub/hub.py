"""The hub: publish, deliver here, open and close connections."""

import asyncio
from collections.abc import Collection, Sequence

import structlog
from msgspec.structs import replace

from app.hub import publication as publications
from app.hub.audience import Audience
from app.hub.catch_up import CatchUp
from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.delivery import Delivery
from app.hub.events import Events
from app.hub.gap import tell_gap
from app.hub.geometry import Place
from app.hub.hooks import Hooks
from app.hub.latency import Latency
from app.hub.leaving import Leaving
from app.hub.news import Listeners
from app.hub.outbox import Outbox
from app.hub.paced import MAX_WAITING, Paced, add_queue
from app.hub.past import NO_PAST
from app.hub.port import Sink
from app.hub.presence import Presence
from app.hub.publication import Part, Publication, Receipt
from app.hub.reach import Reach
from app.hub.receipts import Receipts
from app.hub.registry import Registry
from app.hub.returning import BACK_ELSEWHERE, Back, Returning
from app.hub.roster import LoneRoster, Roster
from app.hub.sessions import RESTORED_WITHIN_S, MemorySessions, SessionIds, Sessions
from app.hub.settling import Follows, NoFollows, is_settled
from app.journal.port import Entry, Journal
from app.kernel.clock import monotonic, utc_now
from app.kernel.identity import User
from app.kernel.ids import new_short_id
from app.kernel.transaction import refuse_inside_transaction
from app.wire.dialect import Dialect
from app.wire.prepared import Prepared
from app.wire.update import Update

_log = structlog.get_logger()


class Hub:
    """One per process. Follows the journal from `start()` to `stop()`."""

    def __init__(
        self,
        journal: Journal,
        *,
        outbox_bytes: int,
        outbox_total_bytes: int = 536_870_912,
        presence_grace_s: float = 0.0,
        replay_s: float = 300.0,
        max_message_bytes: int = 65_536,
        events: Events | None = None,
        follows: Follows | None = None,
        sessions: Sessions | None = None,
        session_ids: SessionIds | None = None,
        roster: Roster | None = None,
    ) -> None:
        """`replay_s`: as long as a page may be away and still catch up. `max_message_bytes`: what pages are told of theirs."""
        self.journal = journal
        """For those who ask how it is; what is published goes by `publish`."""
        self.registry = Registry(journal.head)
        kept = sessions or MemorySessions(max(replay_s, RESTORED_WITHIN_S))
        ids = session_ids or SessionIds()
        self.returning = Returning(journal, self.registry, kept, ids, replay_s=replay_s, max_message_bytes=max_message_bytes)
        self.events = events or Events()
        self.roster = roster or LoneRoster()
        self.reach = Reach(self.registry, self.returning.just_left, self.roster, follows or NoFollows())
        self.presence = Presence(
            self.events, presence_grace_s, self.registry.of_user, roster=self.roster, left_elsewhere=self.returning.just_left.add
        )
        self._leaving = Leaving(self.registry, self.returning, self.presence)
        self.delivery = Delivery(self.registry, self._leaving.hang_up_slow, outbox_total_bytes)
        self.on_connection: Hooks[Connection] = Hooks("connection")
        self.on_arrival: Hooks[Connection] = Hooks("arrival")
        """Somebody hears: at each connect, once what was missed is shown; again when an open connection has said who it is."""
        self.on_disconnection: Hooks[Connection] = Hooks("disconnection")
        self.on_located: Hooks[Connection] = Hooks("located")
        self.on_lost: Hooks[[]] = Hooks("lost entries")
        """This node will never hear of some publications: what it keeps by them must be looked up anew."""
        self.on_drained: Hooks[[]] = Hooks("drained")
        """This node has said goodbye to all its pages, and is one of the cluster for a moment more."""
        self.news = Listeners()
        self.paced_queues: list[Paced] = []
        self.is_draining = False
        """Whether this node stops: it takes no more sockets."""
        self._connection_send, self._connection_close = self.send, self.close  # bound once, shared by all connections
        self._outbox_bytes = outbox_bytes
        self.receipts = Receipts()
        self.latency = Latency()
        self._unfollow = journal.follow(self.deliver_local, lost=self._lost, until_ready=self.delivery.writing.until_few_wait)

    async def publish(self, publication: Publication) -> Receipt:
        """Give the publication its place in the journal; every node delivers it. Returns what this node's share was.

        Raises PublishedInsideTransaction inside an open transaction, ValueError for what is over a limit, Unavailable when the
        audience stands in a database that is away, or the journal is. Not safe to cancel: it may be delivered all the same.
        """
        refuse_inside_transaction()
        if not all(is_settled(part.audience) for part in publication.parts):
            parts = [Part(await self.settle(part.audience), part.update) for part in publication.parts]
            publication = replace(publication, parts=tuple(parts))
        self.latency.began[publication.id] = monotonic()
        try:
            await self.journal.append(publications.encode(publication))
        finally:
            self.latency.began.pop(publication.id, None)
        receipt = self.receipts[publication.id]  # now: it may be forgotten while this waits
        await self.delivery.writing.until_few_wait()
        return receipt

    def deliver_local(self, entry: Entry) -> None:
        """Deliver one entry of the journal to the connections of this node."""
        publication = publications.decode(entry.payload)
        if publication.ttl_s and publication.is_over(entry.at):  # this node was away from the journal
            self.receipts.add(Receipt(publication.id, 0, 0))
            return
        came_at = monotonic()
        self.returning.touched.note(publication, entry.cursor)
        receipt = self._deliver(publication, entry.cursor)
        self.receipts.add(receipt)
        if receipt.queued:
            self.delivery.writing.time(self.latency.timing(publication.id, came_at))

    def deliver_here(self, publication: Publication) -> Receipt:
        """Deliver to the connections here alone, past the journal, which is away: no page's place moves. Settled audiences only."""
        return self._deliver(publication, "")

    def _deliver(self, publication: Publication, cursor: str) -> Receipt:
        if publication.news is None:
            receipt = self.delivery.deliver(publication, cursor)
        else:
            receipt = self.delivery.deliver(self.news.told_of(publication), cursor)
            self.news.delivered(publication)
        if (leaving := publication.leaving) is not None:
            for connection in tuple(self.registry.resolve(leaving.audience)):  # a copy: leaving changes the registry's sets
                self.registry.leave(connection, leaving.room_id)
        return receipt

    def _lost(self) -> None:
        self.returning.lost()
        tell_gap(self.registry, self.delivery, self.journal.head())
        self.on_lost.fire()

    async def settle(self, audience: Audience, *, also_absent: bool = False) -> Audience:
        """The audience with what stands in the database looked up. Raises Unavailable.

        Users who are out of reach are left out, unless the audience is kept for those who come later: `also_absent`.
        """
        return await self.reach.settle(audience, also_absent=also_absent)

    async def find(self, audience: Audience) -> Collection[Connection]:
        """The connections of an audience, as they are now. Raises Unavailable."""
        return tuple(self.registry.resolve(await self.settle(audience)))

    def paced(self, name: str, *, max_per_s: float, max_waiting: int = MAX_WAITING) -> Paced:
        """A new queue that publishes at this pace and is emptied when the server stops. Raises ValueError for a name in use."""
        queue = Paced(name, self.publish, max_per_s=max_per_s, max_waiting=max_waiting)
        add_queue(self.paced_queues, queue)
        return queue

    def cursor(self) -> str:
        """The place of what was delivered here last: a page that is made now and comes with it misses nothing."""
        return self.journal.head()

    def connect(
        self,
        sink: Sink,
        dialect: Dialect,
        user: User | None,
        *,
        address: str,
        user_agent: str,
        is_back: bool = False,
        back: Back | None = None,
    ) -> Connection:
        """Register a socket whose handshake has ended. From here on it hears; the first thing it hears is `hello`.

        `back`: what `returning.recognise` knows of its page, which is shown what it missed before all else.
        """
        connection = Connection(
            new_short_id(),
            past=self.returning.past_of(back) if back is not None else NO_PAST,
            user=user,
            dialect=dialect,
            outbox=Outbox(sink, self._outbox_bytes),
            address=address,
            user_agent=user_agent,
            is_back=is_back or back is not None,
            send=self._connection_send,
            close=self._connection_close,
        )
        if back is not None:
            self._connect_again(connection, back)
            return connection
        head = self.journal.head()
        for payload in (self.returning.greeting(connection, head, resumed=False), dialect.encode_place(head)):
            if payload is not None:
                self.delivery.offer(connection, Prepared(payload))
        self._register(connection, was_here=is_back)
        self.on_arrival.fire(connection)
        return connection

    def _connect_again(self, connection: Connection, back: Back) -> None:
        if back.kept is not None and back.kept.notes:
            connection.session = back.kept.notes_again()
        catch_up = CatchUp(
            returning=self.returning,
            registry=self.registry,
            delivery=self.delivery,
            connection=connection,
            back=back,
            live=self.on_arrival.fire,
        )
        self.returning.came_back(connection, back)
        self._register(connection, was_here=self.returning.is_from_before(back))
        if back.place is not None and connection.place is None:
            self.registry.locate(connection, back.place)
        if back.successor_of is not None:
            self.close(back.successor_of, Close.NOT_ALLOWED, BACK_ELSEWHERE)
        catch_up.start()

    def _register(self, connection: Connection, *, was_here: bool) -> None:
        self.registry.add(connection)
        if connection.user is not None:
            self.presence.arrived(connection.user, is_back=was_here)
        self.on_connection.fire(connection)

    def sign_in(self, connection: Connection, user: User) -> None:
        """One that is open, unless it is gone by now, has said who it is, perhaps again by a fresh token; never somebody else."""
        is_new = connection.user is None
        if not self.registry.sign_in(connection, user):
            return
        self.presence.arrived(user)
        if is_new and connection.outbox.catch_up is None:  # else it arrives when it has caught up
            self.on_arrival.fire(connection)

    def locate(self, connection: Connection, place: Place) -> None:
        """Note where the connection is, in place of where it was; nothing happens when it is gone."""
        self.registry.locate(connection, place)
        self.on_located.fire(connection)

    def disconnect(self, connection: Connection, code: int, reason: str) -> None:
        """Forget a connection whose socket is gone."""
        self.delivery.forget(connection.outbox)
        if not self._leaving.forget(connection) and connection.closed_at is not None:
            return
        connection.closed_at = utc_now()
        self.on_disconnection.fire(connection)
        _log.info("connection closed", **connection.summary(), code=code, reason=reason)

    def send(self, connection: Connection, update: Update, message_id: str | None = None) -> None:
        """Put one update into one outbox, past the journal: answers, and what only this connection is told."""
        payloads = connection.dialect.encode_update(message_id or new_short_id(), update, "")
        self.delivery.offer(connection, Prepared.of(payloads))

    def send_batch(self, connection: Connection, updates: Sequence[Update]) -> None:
        """Put several updates into one outbox as one message, past the journal."""
        payloads = connection.dialect.encode_batch(new_short_id(), updates, "")
        self.delivery.offer(connection, Prepared.of(payloads))

    def close(self, connection: Connection, why: Close = Close.BACK_OFFICE, reason: str | None = None) -> None:
        """Say why and hang up. The connection hears nothing more from this moment on."""
        if connection.outbox.closed:
            if self.registry.get(connection.id) is not None:  # it read too slowly, and waits for its turn to be hung up on
                self._leaving.hang_up(connection, why, reason or why.reason)
            return
        self.delivery.write_last(connection.outbox)
        self.delivery.close(connection.outbox)
        self._leaving.hang_up(connection, why, reason or why.reason)

    @property
    def running(self) -> set[asyncio.Task[None]]:
        """Hooks and event functions that are not done yet, and connections that catch up."""
        hooks = self.on_connection, self.on_arrival, self.on_disconnection, self.on_located, self.on_drained
        return {task for one in hooks for task in one.running} | self.events.running | self.returning.running

    def stop(self) -> None:
        """Follow the journal no longer, and tell nothing more."""
        self.presence.stop()
        self._unfollow()
