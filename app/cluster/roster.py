"""The roster of a node in a cluster: Redis holds what each node has said of its users, and each node keeps a copy of it.

- What changed leaves some 20 ms later, with all else that changed meanwhile, in one step of Redis's; the others hear of it at once.
- Each change has a number. Whoever missed one, or finds at a beat that it did, reads the other node's users again.
- A node that has not beaten for `DEAD_AFTER_S` is held for dead by all. One of the others looks after its users: when the grace is
  over, whoever is on no other node went offline. A node that was only cut off enters all its users anew when it is back.
- Who came first in the cluster, and who left last, is said by Redis, in the same step: so it is told once, by one node.
- While Redis is away nothing is told, and what is known of other nodes stands still. It is made good when Redis is back.

That Redis loses what it has, and a node is killed that was about to tell of somebody, are the two ways in which one is not told.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog
from redis.asyncio import Redis

from app.cluster.clerk import Clerk
from app.cluster.lasting import lasting
from app.cluster.ledger import Ledger
from app.cluster.outage import Outage
from app.cluster.replica import Replica
from app.hub.roster import Condition, Listener
from app.kernel.deadline import Deadline
from app.kernel.identity import User

FIRST_S = 3.0
"""Seconds that a start waits for Redis; then it goes on without knowing who is on other nodes."""

_log = structlog.get_logger()


class RedisRoster:
    """See the module. It is one of the cluster inside `running`."""

    is_alone = False

    def __init__(self, client: Redis, node: str, deadline: Deadline, *, grace_s: float, away_s: float) -> None:
        """`away_s`: for how long users who have left may come back to what they missed. `deadline`: of a stop."""
        self.node = node
        self._client, self._deadline, self._grace_s, self._away_s = client, deadline, grace_s, away_s
        self._ledger = Ledger()
        self._replica = Replica()
        self._clerk: Clerk

    @property
    def nodes(self) -> Collection[str]:
        """The ids of the nodes that live."""
        return {self.node, *(book.node for book in self._replica.books.values() if book.is_living)}

    @property
    def is_stale(self) -> bool:
        """Whether there was no beat for as long as makes others hold this node for dead."""
        return self._clerk.is_stale

    @property
    def users_elsewhere(self) -> int:
        """How many users have a connection on other nodes."""
        return len(self._replica)

    @property
    def admins_elsewhere(self) -> int:
        """How many connections admins have on other nodes."""
        return sum(book.condition.admins for book in self._replica.books.values() if book.is_living)

    @property
    def has_database_elsewhere(self) -> bool:
        """Whether another node that lives reaches the database."""
        return any(book.is_living and book.condition.has_database for book in self._replica.books.values())

    def listen(self, listener: Listener) -> None:
        """Tell this listener."""
        self._replica.left = listener.left
        how = {"grace_s": self._grace_s, "away_s": self._away_s}
        self._clerk = Clerk(self._client, self.node, self._ledger, self._replica, listener, **how)

    def came(self, user: User) -> None:
        """Enter the user."""
        self._ledger.has(user, 1, None, is_known=self.is_online_elsewhere(user.id))
        self._clerk.woken.set()

    def came_back(self, user: User) -> None:
        """The same: Redis knows who was here."""
        self.came(user)

    def has(self, user: User, connections: int, since: datetime | None = None) -> None:
        """Change the entry of the user."""
        self._ledger.has(user, connections, since)
        self._clerk.woken.set()

    def gone(self, user: User) -> None:
        """Remove the user."""
        self._ledger.gone(user.id)
        self._clerk.woken.set()

    def connections_elsewhere(self, user_id: str) -> int:
        """How many connections the user has on other nodes."""
        return self._replica.connections(user_id)

    def is_online_elsewhere(self, user_id: str) -> bool:
        """Whether the user is on another node, the grace included."""
        return self._replica.is_online(user_id)

    def online_besides(self, user_ids: AbstractSet[str]) -> int:
        """How many users are online on other nodes, and are none of these."""
        return self._replica.online_besides(user_ids)

    def absent_elsewhere_since(self, user_id: str) -> datetime | None:
        """Since when the user is in the grace on another node."""
        since = self._replica.absent_since(user_id)
        return datetime.fromtimestamp(since, UTC) if since is not None else None

    def elsewhere(self, user_ids: AbstractSet[str]) -> AbstractSet[str]:
        """Those of the users who are connected to another node."""
        return self._replica.among(user_ids)

    def may_be_elsewhere(self, user_ids: AbstractSet[str]) -> AbstractSet[str]:
        """The same, or all of them."""
        is_known = self._clerk.has_read_all and self._replica.is_complete and not self._clerk.is_stale
        return self._replica.among(user_ids) if is_known else user_ids

    @asynccontextmanager
    async def running(self, condition: Callable[[], Condition]) -> AsyncIterator[None]:
        """Be one of the cluster while the block runs. `condition`: is asked for what this node says of itself."""
        clerk = self._clerk
        clerk.condition = condition
        async with lasting(clerk.deafness, clerk.listen):
            async with lasting(Outage("roster"), clerk.step):
                try:
                    async with asyncio.timeout(FIRST_S):
                        await clerk.is_idle.wait()
                except TimeoutError:
                    _log.warning("it is not known yet who is on other nodes")
                yield
            await clerk.leave(self._deadline)
