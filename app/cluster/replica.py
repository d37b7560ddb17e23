"""What a node knows of the users of the others. No I/O.

Each life of another node is a book of its own, kept by its changes, in their order. Who misses one reads that book again, while
further changes go on to be written into it: a user of whom a change came meanwhile is as the change says.
"""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from itertools import islice

from app.cluster.change import GONE, Change, Record
from app.hub.roster import Condition

STRETCH = 500
"""Users in one step of what is done to a whole book: half a millisecond."""


class Book:
    """The users of one life of another node. 140 bytes for each user who is connected, with ids of 12 characters."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.is_living = True
        """Whether the node lives that life. If not, its users are in their grace."""
        self.version: int | None = None
        """Of the newest change that is in it; None: it was not read yet."""
        self.condition = Condition(has_database=False)
        """As it said at its last beat."""
        self.connected: dict[str, int] = {}
        self.away: dict[str, float] = {}
        """Those within their grace, with the time since when."""
        self.changed: set[str] | None = None
        """Of whom changes came since it began to be read; None: it is not being read."""

    @property
    def is_complete(self) -> bool:
        """Whether all is in it, as far as it was told."""
        return self.version is not None and self.changed is None


class Replica:
    """The books, and what they say together."""

    def __init__(self) -> None:
        self.books: dict[str, Book] = {}
        """By life."""
        self.left: Callable[[str], object]
        """Told who is connected nowhere else any more."""
        self._on: dict[str, int] = {}
        """On how many living nodes a user is connected."""

    def connections(self, user_id: str) -> int:
        """How many connections a user has."""
        return sum(book.connected.get(user_id, 0) for book in self.books.values()) if user_id in self._on else 0

    def among(self, user_ids: AbstractSet[str]) -> AbstractSet[str]:
        """Those of the users who are connected."""
        return user_ids & self._on.keys()

    def is_online(self, user_id: str) -> bool:
        """Whether a user is connected, or within the grace."""
        return user_id in self._on or any(user_id in book.away for book in self.books.values())

    def online_besides(self, user_ids: AbstractSet[str]) -> int:
        """How many are connected or within the grace, and none of these users."""
        away = set[str]().union(*(book.away for book in self.books.values())) - self._on.keys()
        return len(self._on) - len(self._on.keys() & user_ids) + len(away - user_ids)

    def absent_since(self, user_id: str) -> float | None:
        """Since when a user is within the grace; None: is not."""
        return max((book.away[user_id] for book in self.books.values() if user_id in book.away), default=None)

    @property
    def is_complete(self) -> bool:
        """Whether all books are."""
        return all(book.is_complete for book in self.books.values())

    def __len__(self) -> int:
        """How many users are connected."""
        return len(self._on)

    def apply(self, change: Change) -> bool:
        """Write a change into its book. False: another one is missing before it, and the book must be read."""
        book = self.books.get(change.life)
        if book is None:
            book = self.book_of(change.life)
            book.version = 0 if change.version == 1 else None
        if book.version is None:
            return False
        if change.version <= book.version:
            return True  # it was read already
        if change.version != book.version + 1:
            return False
        book.version = change.version
        for user_id, connections, since in change.users:
            self._write(book, user_id, connections, since)
            if book.changed is not None:
                book.changed.add(user_id)
        return True

    def book_of(self, life: str) -> Book:
        """Its book; a new one is empty, and must be read."""
        return self.books.setdefault(life, Book(node_of(life)))

    def begin_reading(self, life: str, version: int) -> Book:
        """From now on the book is read as it is in this version, or a later one."""
        book = self.book_of(life)
        book.version, book.changed = version, set()
        return book

    def read(self, book: Book, user_id: str, record: Record) -> None:
        """This was read of a user."""
        if book.changed is not None and user_id not in book.changed:
            self._write(book, user_id, record.connections, record.since)

    def end_reading(self, book: Book, found: AbstractSet[str]) -> Iterator[None]:
        """All was read: whoever was not found is not there. Goes on for a stretch each time it is asked for the next one."""
        missing = (book.connected.keys() | book.away.keys()) - found
        for number, user_id in enumerate(missing, 1):
            if book.changed is not None and user_id not in book.changed:
                self._write(book, user_id, GONE, None)
            if not number % STRETCH:
                yield
        book.changed = None

    def end_life(self, book: Book, now: float) -> Iterator[None]:
        """The node is dead, so its users are in their grace; a stretch at a time."""
        book.is_living = False
        while book.connected:
            for user_id in tuple(islice(book.connected, STRETCH)):
                self._write(book, user_id, 0, now)
            yield

    def forget(self, life: str) -> Iterator[None]:
        """Nothing is left of a life; a stretch at a time."""
        book = self.books[life]
        while user_ids := (*islice(book.connected, STRETCH), *islice(book.away, STRETCH)):
            for user_id in user_ids:
                self._write(book, user_id, GONE, None)
            yield
        del self.books[life]

    def _write(self, book: Book, user_id: str, connections: int, since: float | None) -> None:
        was_connected = book.connected.pop(user_id, None) is not None
        book.away.pop(user_id, None)
        if connections > 0 and book.is_living:
            book.connected[user_id] = connections
            if not was_connected:
                self._on[user_id] = self._on.get(user_id, 0) + 1
            return
        if connections != GONE:
            book.away[user_id] = since if since is not None else 0.0
        if was_connected:
            self._on[user_id] -= 1
            if not self._on[user_id]:
                del self._on[user_id]
        if user_id not in self._on:
            self.left(user_id)


def node_of(life: str) -> str:
    """The id of the node whose life it is."""
    return life.partition(":")[0]
