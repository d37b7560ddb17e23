"""Who is connected to which node of the cluster: the port, and its form for a node that is alone.

What a node knows of the others stands in its own memory, so that whoever publishes, or asks who is there, has the answer in the
same turn of the loop. It is late by the way that the news takes, and while Redis is away it stands still.
"""

from collections.abc import Callable, Collection
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import NamedTuple, Protocol

from app.kernel.identity import User


class Listener(NamedTuple):
    """What a roster tells. Plain calls on the event loop."""

    online: Callable[[User], object]
    """The first connection in the whole cluster has opened. One node is told of it, once."""
    offline: Callable[[User], object]
    """The last one has been gone for the grace. One node is told of it, once."""
    left: Callable[[str], object]
    """The user of this id has no connection on other nodes any more; may be called again."""


class Condition(NamedTuple):
    """What a node says of itself with each sign of life."""

    admins: int = 0
    """Connections that admins have there."""
    has_database: bool = True
    """Whether it reaches the database."""
    fingerprint: str = ""
    """Of the settings that must be the same on all nodes. Empty: not known."""


class Roster(Protocol):
    """Who is connected where. No call waits, and none fails.

    Of each user it is told `came`, then `has` as often as something changes, then `gone`.
    """

    @property
    def node(self) -> str:
        """The id of this node."""

    @property
    def nodes(self) -> Collection[str]:
        """The ids of the nodes that live, this one among them; another may have been dead for some seconds."""

    @property
    def is_alone(self) -> bool:
        """Whether there can be no other node."""

    @property
    def is_stale(self) -> bool:
        """Whether what it knows of other nodes is too old to be relied on."""

    @property
    def users_elsewhere(self) -> int:
        """How many users have a connection on other nodes."""

    @property
    def admins_elsewhere(self) -> int:
        """How many connections admins have on other nodes; late by a beat."""

    @property
    def has_database_elsewhere(self) -> bool:
        """Whether another node that lives reaches the database; late by a beat."""

    def listen(self, listener: Listener) -> None:
        """Tell this listener. Called once, before the first user comes."""

    def came(self, user: User) -> None:
        """The user's first connection on this node opened."""

    def came_back(self, user: User) -> None:
        """The same for one who had a connection here before this process was started, a moment ago."""

    def has(self, user: User, connections: int, since: datetime | None = None) -> None:
        """The user has so many connections on this node now; 0: none `since` then, and the grace runs."""

    def gone(self, user: User) -> None:
        """The grace is over."""

    def connections_elsewhere(self, user_id: str) -> int:
        """How many connections the user has on other nodes."""

    def is_online_elsewhere(self, user_id: str) -> bool:
        """Whether the user has a connection on another node, or had one within the grace."""

    def online_besides(self, user_ids: AbstractSet[str]) -> int:
        """How many users, and none of these, have a connection on other nodes, or had one within the grace."""

    def absent_elsewhere_since(self, user_id: str) -> datetime | None:
        """When the user's last connection on another node ended, within the grace; None: it has not, or there was none."""

    def elsewhere(self, user_ids: AbstractSet[str]) -> AbstractSet[str]:
        """Those of the users who have a connection on another node, as far as is known."""

    def may_be_elsewhere(self, user_ids: AbstractSet[str]) -> AbstractSet[str]:
        """Those of the users of whom it is not certain that they have none: all of them, while it is stale."""


class LoneRoster:
    """The roster of the only node: nobody is elsewhere."""

    is_alone, is_stale = True, False
    has_database_elsewhere = False
    users_elsewhere = admins_elsewhere = 0

    def __init__(self, node: str = "") -> None:
        self.node = node
        self._listener: Listener

    @property
    def nodes(self) -> Collection[str]:
        """This one."""
        return (self.node,)

    def listen(self, listener: Listener) -> None:
        """Tell this listener."""
        self._listener = listener

    def came(self, user: User) -> None:
        """The user is online."""
        self._listener.online(user)

    def came_back(self, user: User) -> None:
        """Nothing: the user was never away, the server was."""

    def has(self, user: User, connections: int, since: datetime | None = None) -> None:
        """Nothing: nobody else wants to know."""

    def gone(self, user: User) -> None:
        """The user is offline."""
        self._listener.offline(user)

    def connections_elsewhere(self, _user_id: str) -> int:
        """None."""
        return 0

    def is_online_elsewhere(self, _user_id: str) -> bool:
        """No."""
        return False

    def online_besides(self, _user_ids: AbstractSet[str]) -> int:
        """Nobody."""
        return 0

    def absent_elsewhere_since(self, _user_id: str) -> datetime | None:
        """There was none."""
        return None

    def elsewhere(self, _user_ids: AbstractSet[str]) -> AbstractSet[str]:
        """Nobody."""
        return frozenset()

    def may_be_elsewhere(self, _user_ids: AbstractSet[str]) -> AbstractSet[str]:
        """Nobody."""
        return frozenset()
