"""Compares what was acknowledged with what is stored and with what each page saw: pure, it knows no server.

Everything that is said in a run carries a mark of its own, so that it is known wherever it turns up.
"""

from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Wrong(StrEnum):
    """What may be wrong."""

    LOST = "acknowledged, and not stored"
    UNSTORED = "shown, and not stored"
    MISSING = "never shown to one who was to see it"
    TWICE = "shown twice"
    ORDER = "out of order"
    FOREIGN = "shown to one who was not to see it"


class Violation(NamedTuple):
    """One thing that must not be."""

    wrong: Wrong
    mark: str
    page: str = ""


class Sent(NamedTuple):
    """One thing that was said."""

    mark: str
    hearers: frozenset[str]
    """Names of pages."""
    is_stored: bool
    """Whether it is of a kind that is stored."""
    asked_at: float
    answered_at: float | None
    """None: no answer came, or one that refused. Then it may be there and may be not."""
    in_order: bool = True
    """Whether it was given its place in the journal before the answer: not while Redis is away."""

    @property
    def is_acknowledged(self) -> bool:
        return self.answered_at is not None


class Seen(NamedTuple):
    """A page put it on its screen, behind whatever was there."""

    mark: str
    cursor: str
    """Empty: its place in the journal was not told."""
    at: float = 0.0


class Listed(NamedTuple):
    """It was on a list that took the place of what was on the screen."""

    mark: str
    at: float = 0.0


class Gap(NamedTuple):
    """The page was told that it may have missed anything between two places, in these targets; none: in any."""

    after: str
    until: str
    targets: frozenset[str] = frozenset()
    at: float = 0.0


Event = Seen | Listed | Gap


@dataclass
class History:
    """Of one page: all that it noted, in order. What it dropped because it knew the id is not in it."""

    name: str
    target: str = ""
    """Where things are put that are not stored."""
    events: list[Event] = field(default_factory=list)

    def of(self, kind: type[Event]) -> Iterator[Event]:
        return (event for event in self.events if isinstance(event, kind))

    @property
    def known(self) -> AbstractSet[str]:
        """All marks that it was shown, one way or the other."""
        return {event.mark for event in self.events if not isinstance(event, Gap)}


def check(sent: Sequence[Sent], stored: Collection[str], histories: Sequence[History]) -> list[Violation]:
    """All that is wrong; `stored`: the marks in the database.

    A gap excuses what is not stored and has its place in it. It never excuses what is stored: a page that is told of a gap reads
    its lists anew, and so sees it on one of these.
    """
    by_mark = {one.mark: one for one in sent}
    places = _places(histories)
    found = [Violation(Wrong.LOST, one.mark) for one in sent if one.is_stored and one.is_acknowledged and one.mark not in stored]
    for page in histories:
        found += _missing(page, sent, places)
        found += _not_to_be_shown(page, by_mark, stored)
        found += _twice(page)
        found += _disorder(page, by_mark, places)
    return found


def _places(histories: Sequence[History]) -> dict[str, set[str]]:
    """By mark, where in the journal anybody saw it."""
    places: dict[str, set[str]] = {}
    for page in histories:
        for event in page.events:
            if isinstance(event, Seen) and event.cursor:
                places.setdefault(event.mark, set()).add(event.cursor)
    return places


def _missing(page: History, sent: Sequence[Sent], places: dict[str, set[str]]) -> Iterator[Violation]:
    known = page.known
    gaps = [event for event in page.events if isinstance(event, Gap)]
    for one in sent:
        if not one.is_acknowledged or page.name not in one.hearers or one.mark in known:
            continue
        is_excused = not one.is_stored and any(
            gap.after < place <= gap.until and (not gap.targets or page.target in gap.targets)
            for gap in gaps
            for place in places.get(one.mark, ())
        )
        if not is_excused:
            yield Violation(Wrong.MISSING, one.mark, page.name)


def _not_to_be_shown(page: History, by_mark: dict[str, Sent], stored: Collection[str]) -> Iterator[Violation]:
    for mark in sorted(page.known):
        one = by_mark.get(mark)
        if one is None or page.name not in one.hearers:
            yield Violation(Wrong.FOREIGN, mark, page.name)
        elif one.is_stored and mark not in stored:
            yield Violation(Wrong.UNSTORED, mark, page.name)


def _twice(page: History) -> Iterator[Violation]:
    """A list takes the place of what was there: only what comes behind something of the same kind is shown twice."""
    seen: set[str] = set()
    for event in page.events:
        if isinstance(event, Seen):
            if event.mark in seen:
                yield Violation(Wrong.TWICE, event.mark, page.name)
            seen.add(event.mark)


def pushed_behind_a_list(page: History) -> int:
    """How often a page that had read its lists anew was pushed something that was on one of them, for the first time.

    It is no mistake of the server, to which nobody said what was read: the page knows it by `data-message-id`, or by its own id.
    """
    listed: set[str] = set()
    seen: set[str] = set()
    for event in page.events:
        if isinstance(event, Seen):
            seen.add(event.mark)
        elif isinstance(event, Listed) and event.mark not in seen:
            listed.add(event.mark)
    return len(listed & seen)


def _disorder(page: History, by_mark: dict[str, Sent], places: dict[str, set[str]]) -> Iterator[Violation]:
    """Places increase; and what was acknowledged before another was asked for is shown before it, unless a gap hid it."""
    newest, asked_at = "", 0.0
    gaps: list[Gap] = []
    for event in page.events:
        if isinstance(event, Gap):
            gaps.append(event)
        if not isinstance(event, Seen):
            continue
        one = by_mark.get(event.mark)
        is_early = event.cursor and event.cursor < newest
        newest = max(newest, event.cursor)
        is_late = False
        if one is not None and one.in_order:
            is_late = one.answered_at is not None and one.answered_at < asked_at and not _is_hidden(one, gaps, places)
            asked_at = max(asked_at, one.asked_at)
        if is_early or is_late:
            yield Violation(Wrong.ORDER, event.mark, page.name)


def _is_hidden(one: Sent, gaps: Collection[Gap], places: dict[str, set[str]]) -> bool:
    """Whether a gap has its place. What one page alone hears nobody else saw there: it is in the gap if it was asked for before."""
    if len(one.hearers) == 1:
        return any(one.asked_at < gap.at for gap in gaps)
    return any(gap.after < place <= gap.until for gap in gaps for place in places.get(one.mark, ()))
