"""Who listens to what publications are about: on every node, in the turn in which a publication is delivered there.

What a node keeps of stored things follows the journal so, and not the node that happened to change them: there is one way for all.
"""

from collections.abc import Callable
from typing import NamedTuple

import structlog

from app.hub.publication import Publication

Before = Callable[[Publication], Publication]
"""Called before the publication is delivered to the pages of this node. Returns what they are told in its place, or itself: pages
that read it from the journal later are told what it says itself."""
After = Callable[[Publication], object]
"""Called when it is in the outboxes, behind what writes them in the next turn of the loop."""

_log = structlog.get_logger()


class _Listener(NamedTuple):
    before: Before | None
    after: After | None


class Listeners:
    """One for each kind of news. Plain calls, which do not wait for anything; one that fails is logged, and changes nothing."""

    def __init__(self) -> None:
        self._by_kind: dict[str, _Listener] = {}

    def on(self, kind: str, *, before: Before | None = None, after: After | None = None) -> None:
        """Call these with each publication that has news of this kind. Raises ValueError where others are called."""
        if kind in self._by_kind:
            message = f"somebody listens to news of {kind!r} already"
            raise ValueError(message)
        self._by_kind[kind] = _Listener(before, after)

    def off(self, kind: str) -> None:
        """Call them no longer. Raises KeyError where nobody was called."""
        del self._by_kind[kind]

    def told_of(self, publication: Publication) -> Publication:
        """What is delivered here in its place. News of a kind that nobody here knows change nothing."""
        listener = self._of(publication)
        if listener is None or listener.before is None:
            return publication
        try:
            return listener.before(publication)
        except Exception:
            _log.exception("listening to news failed", publication=publication.id)
            return publication

    def delivered(self, publication: Publication) -> None:
        """It is in the outboxes."""
        listener = self._of(publication)
        if listener is not None and listener.after is not None:
            try:
                listener.after(publication)
            except Exception:
                _log.exception("listening to news failed", publication=publication.id)

    def _of(self, publication: Publication) -> _Listener | None:
        return self._by_kind.get(publication.news.kind) if publication.news is not None else None
