"""Who is connected here, with an index for each way of being meant."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from heapq import nsmallest
from itertools import islice

from app.hub.audience import (
    AllOf,
    AnyOf,
    Audience,
    Connections,
    Everyone,
    Except,
    FollowersOf,
    FriendsOf,
    Near,
    Roles,
    Rooms,
    SignedIn,
    Unsettled,
    Users,
    everyone,
    hears,
)
from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.geometry import Circle, Place
from app.hub.in_order import InOrder
from app.hub.places import Places
from app.kernel.identity import User

FEW = 8
"""An audience of fewer than an eighth of all is looked through by itself."""


class Index:
    """Connections by a word. A word without connections is removed: words come and go, memory must not stay."""

    def __init__(self) -> None:
        self._found: dict[str, Connection | set[Connection]] = {}
        """A connection that is alone stands here by itself: most users have one page, and a set takes 216 bytes."""

    def add(self, word: str, connection: Connection) -> None:
        """Put the connection under the word."""
        there = self._found.setdefault(word, connection)
        if isinstance(there, set):
            there.add(connection)
        elif there is not connection:
            self._found[word] = {there, connection}

    def discard(self, word: str, connection: Connection) -> None:
        """Take it away; nothing happens when it is not there."""
        there = self._found.get(word)
        if isinstance(there, set):
            there.discard(connection)
            if not there:
                del self._found[word]
        elif there is connection:
            del self._found[word]

    def under(self, words: Iterable[str]) -> Collection[Connection]:
        """All connections under any of the words, each once."""
        found = [there if isinstance(there, set) else (there,) for word in words if (there := self._found.get(word)) is not None]
        return found[0] if len(found) == 1 else set().union(*found)

    def known(self, words: AbstractSet[str]) -> AbstractSet[str]:
        """Those of the words that have connections."""
        return words & self._found.keys()

    def __contains__(self, word: str) -> bool:
        """Whether the word has connections."""
        return word in self._found

    def __len__(self) -> int:
        """How many words have connections."""
        return len(self._found)


class Registry:
    """The connections of this node. Finding a user of two costs the same among 100 and among 100,000 connections."""

    def __init__(self, head: Callable[[], str] = str) -> None:
        """`head`: the place in the journal of what was delivered last."""
        self._head = head
        self._all: dict[str, Connection] = {}
        self._in_order = InOrder(self._all)
        self._signed_in: set[Connection] = set()
        self._users = Index()
        self._roles = Index()
        self._rooms = Index()
        self._places = Places()
        self.came: Counter[str] = Counter()
        """Connections that were opened since the start, by their dialect."""
        self.went: Counter[tuple[str, Close | None]] = Counter()
        """Those of them that are gone, by their dialect, and by why we hung up; None: we did not."""

    def add(self, connection: Connection) -> None:
        """Put the connection into every index."""
        self._all[connection.id] = connection
        self._in_order.added(connection.id)
        self.came[connection.dialect.name] += 1
        if connection.user is not None:
            self._index(connection, connection.user)

    def remove(self, connection: Connection) -> bool:
        """Take the connection out of every index. False: it was not there."""
        if self._all.pop(connection.id, None) is None:
            return False
        self._in_order.removed()
        self.went[connection.dialect.name, connection.closed_as] += 1
        if connection.user is not None:
            self._forget_user(connection, connection.user)
        for room_id in tuple(connection.rooms):
            self.leave(connection, room_id)
        if connection.place is not None:
            self._places.discard(connection, connection.place)
            connection.place = None
        return True

    def sign_in(self, connection: Connection, user: User) -> bool:
        """From now on the connection is this user's, with the roles that the user has now. False: it is gone."""
        if connection.id not in self._all:
            return False
        if connection.user is not None:
            self._forget_user(connection, connection.user)
        connection.user = user
        self._index(connection, user)
        return True

    def join(self, connection: Connection, room_id: str, since: str | None = None) -> None:
        """Put the connection into a room; the room that was joined last is the last of `connection.rooms`.

        Nothing happens when the connection is gone: whoever asked for it has waited for something, and nobody would take it out.
        `since`: from which place in the journal on it heard the room, where its page was in it before.
        """
        if connection.id in self._all:
            connection.enter(room_id, self._head() if since is None else since)
            self._rooms.add(room_id, connection)

    def leave(self, connection: Connection, room_id: str) -> None:
        """Take the connection out of a room; nothing happens when it is not there."""
        connection.exit(room_id)
        self._rooms.discard(room_id, connection)

    def locate(self, connection: Connection, place: Place) -> None:
        """Note where the connection is, in place of where it was; nothing happens when it is gone."""
        if connection.id not in self._all:
            return
        if connection.place is not None:
            self._places.discard(connection, connection.place)
        connection.place = place
        self._places.add(connection, place)

    def get(self, connection_id: str) -> Connection | None:
        """The connection of this id, or None."""
        return self._all.get(connection_id)

    def open_sockets_of(self, user_id: str) -> int:
        """How many sockets a user has open: when thousands end together, the ends of some are told after their users are back."""
        return sum(not connection.outbox.sink.is_gone for connection in self.of_user(user_id))

    def of_user(self, user_id: str) -> Collection[Connection]:
        """All connections of one user."""
        return self._users.under((user_id,))

    def is_connected(self, user_id: str) -> bool:
        """Whether the user has a connection."""
        return user_id in self._users

    def connected(self, user_ids: AbstractSet[str]) -> AbstractSet[str]:
        """Those of the users who have a connection."""
        return self._users.known(user_ids)

    def in_room(self, room_id: str) -> Collection[Connection]:
        """All connections that are in one room now."""
        return self._rooms.under((room_id,))

    def resolve(self, audience: Audience) -> Collection[Connection]:  # noqa: C901 - one case for each kind of audience
        """The connections that hear, each once. A live view or a set: copy it before connections may come or go.

        Raises Unsettled for an audience that only `Hub.settle` can resolve.
        """
        match audience:
            case Everyone():
                return self._all.values()
            case SignedIn():
                return self._signed_in
            case Users(ids):
                return self._users.under(ids)
            case Rooms(ids):
                return self._rooms.under(ids)
            case Roles(names):
                return self._roles.under(names)
            case Near(latitude, longitude, radius_km):
                holds = Circle(latitude, longitude, radius_km).holds  # and not `hears`: there may be a whole city
                close = self._places.candidates(latitude, longitude, radius_km)
                return [connection for connection in close if connection.place is not None and holds(connection.place)]
            case FollowersOf() | FriendsOf():
                raise Unsettled(Unsettled.__doc__)
            case Connections(ids):
                return [connection for one in ids if (connection := self._all.get(one)) is not None]
            case AnyOf(audiences):
                found: set[Connection] = set()
                return found.union(*map(self.resolve, set(audiences)))
            case AllOf(audiences):
                fewest, *others = sorted(map(self.resolve, set(audiences) - {everyone} or {everyone}), key=len)
                return set(fewest).intersection(*others)
            case Except(included, excluded):
                return set(self.resolve(included)).difference(self.resolve(excluded))

    def page(self, audience: Audience, after: str, limit: int) -> list[Connection]:
        """The first so many of an audience with ids after this one, in the order of their ids. Raises Unsettled.

        Of an audience that is a good part of all, no more are looked at than it takes to find so many.
        """
        found = self.resolve(audience)
        if len(found) * FEW >= len(self._all):
            return list(islice((one for one in self._in_order.after(after) if hears(one, audience)), limit))
        return nsmallest(limit, (one for one in found if one.id > after), key=lambda one: one.id)

    def user_count(self) -> int:
        """How many users have at least one connection."""
        return len(self._users)

    def __len__(self) -> int:
        """How many connections there are."""
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        """All connections, oldest first."""
        return iter(self._all.values())

    def _forget_user(self, connection: Connection, user: User) -> None:
        self._signed_in.discard(connection)
        self._users.discard(user.id, connection)
        for role in user.roles:
            self._roles.discard(role, connection)

    def _index(self, connection: Connection, user: User) -> None:
        self._signed_in.add(connection)
        self._users.add(user.id, connection)
        for role in user.roles:
            self._roles.add(role, connection)
