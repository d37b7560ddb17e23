"""The port: what any journal promises."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from math import inf
from typing import Literal, NamedTuple, Protocol

Cursor = str
"""A place in the journal: opaque, and increasing as text; also from one life of the journal to the next, as far as its nodes know
of the one before."""


class Entry(NamedTuple):
    """One publication at its place."""

    cursor: Cursor
    payload: bytes
    at: float = inf
    """When it was appended, by this node's clock for time spans; not told: just now, whenever it is looked at."""


class GapError(Exception):
    """Entries after the cursor are gone, or the cursor is of another life of the journal."""


class Health(NamedTuple):
    """How the journal is, as this node sees it."""

    state: Literal["ok", "lagging", "away", "never reached"]
    """`away`: nothing can be appended, and nothing comes. `never reached`: the same, ever since this node was started."""
    lag_s: float = 0.0
    """Seconds that this node is behind the journal's newest entry; while it is away, since it was last heard of."""
    entries: int = 0
    """Entries that this node's followers were called with, since its start."""
    reconnects: int = 0
    """How often it was away and came back."""


class Journal(Protocol):
    """One order of publications for all nodes. At least once to every follower while the entry is kept."""

    async def append(self, payload: bytes) -> Cursor:
        """Give the payload its place. When this returns, the followers of this node were called with the entry.

        Raises Unavailable, within a few seconds, when that cannot be said: the journal is away, or its answer was lost. Then the
        entry is in the journal or is not, and followers may be called with it later. So whoever appends it once more gives it the
        same id inside, and whoever sees an id twice drops the second. Not safe to cancel, for the same reason.
        """

    async def read(self, after: Cursor, limit: int) -> Sequence[Entry]:
        """At most `limit` entries after `after`, oldest first. Raises GapError when some are gone: never a partial answer.

        Nothing that is no cursor of this journal is an error of another kind. Raises Unavailable when the journal is away. May
        wait: at least until the followers of this node were called with `after` itself, which may come from another node. May
        return entries that they have not been called with yet: those after `head()`. Safe to cancel.
        """

    def at(self, cursor: Cursor) -> Entry:
        """The entry of this place, if this node has it in memory; raises GapError if not. For what `read` has waited for."""

    def follow(
        self,
        deliver: Callable[[Entry], None],
        *,
        lost: Callable[[], None] | None = None,
        until_ready: Callable[[], Awaitable[None]] | None = None,
    ) -> Callable[[], None]:
        """Call `deliver` with each entry from now on, in order, on the event loop. Returns what ends it.

        `lost` is called in place of entries that this node will never be called with: it was away for longer than they are kept,
        or the journal has another life. They are those before `head()`. `until_ready` is awaited before each entry that others
        may have appended: who cannot keep up with them holds them back. A follower that raises is logged and stays; it never
        keeps an entry from the others.
        """

    def head(self) -> Cursor:
        """The place of the newest entry that the followers of this node were called with."""

    def health(self) -> Health:
        """How it is."""

    async def until_reached(self) -> None:
        """Return when the journal is not away: at once, or as soon as it is back. Safe to cancel."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Keep in touch with the journal while the block runs. It begins when the journal was reached, or was not at first try."""
