"""Whether a database is still the one that it was."""

from collections.abc import Iterable

import pytest

from api_tests.db.shape import change
from app.db.lineage import Lineage, LineageWatch, Look, Looks, OwnLineages
from app.db.session import Database

FIRST = Lineage("a", 5)


class Seen:
    """A watch that finds these, one after the other, and counts how often the journal was begun anew."""

    def __init__(self, *found: Lineage, lineages: OwnLineages | None = None) -> None:
        self._found = iter(found)
        self.anew = 0
        self.lineages = lineages or OwnLineages()
        self.lineages.on_anew = self.lineages.on_anew or self.begun
        self.watch = LineageWatch(self._find, self.lineages)

    async def _find(self) -> Look:
        found = next(self._found)
        return Look(found, found)

    def begun(self) -> None:
        self.anew += 1

    async def look(self, times: int) -> int:
        for _ in range(times):
            await self.watch.look()
        return self.anew


@pytest.mark.parametrize(
    ("found", "anew"),
    [
        ([FIRST, FIRST, Lineage("a", 6)], 0),
        ([FIRST, Lineage("a", 4), Lineage("a", 5)], 1),
        ([FIRST, Lineage("b", 9), Lineage("b", 9)], 1),
        ([FIRST, Lineage("b", 1), FIRST], 2),
    ],
    ids=["the same", "an older copy", "another", "another, and back"],
)
async def test_the_journal_begins_anew_where_it_does_not_continue_what_is_known(found: Iterable[Lineage], anew: int) -> None:
    seen = Seen(*found)
    assert anew == await seen.look(len(list(found)))


async def test_two_nodes_of_two_databases_do_not_begin_it_anew_for_each_other_again_and_again(logged) -> None:
    one = Seen(FIRST, FIRST, FIRST)
    other = Seen(*[Lineage("b", 1)] * 3, lineages=one.lineages)
    for _ in range(3):
        await one.watch.look()
        await other.watch.look()
    assert 1 == one.anew
    assert "another node uses another database" in logged()


async def test_what_is_written_does_not_make_it_another(settings, database: Database) -> None:
    looks = Looks(database)
    before = await looks.look()
    change(settings.database_url, "DELETE FROM messages")
    after = await looks.look()
    assert after.found.continues(before.left)
    assert (await Looks(database).look()).found.continues(after.left)  # of the next process
