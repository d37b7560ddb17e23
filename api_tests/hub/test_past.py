"""What a page was before is remembered as far as it matters, and no further."""

import pytest

from app.hub import past as module
from app.hub.past import NO_PAST, Heirs, Past


def test_an_earlier_id_counts_up_to_where_it_ended_and_later_ones_from_there():
    past = NO_PAST.and_then("a", "10", was_placed=False, heard_until="05").and_then("b", "20", was_placed=False, heard_until="05")
    assert ["a", "a", "b", "b", "c"] == [past.id_at(cursor, "c") for cursor in ("06", "10", "11", "20", "21")]


def test_what_a_page_has_heard_of_is_forgotten():
    past = Past((("a", "10"), ("b", "20")), placed_until="10")
    assert Past((("b", "20"), ("c", "30"))) == past.and_then("c", "30", was_placed=False, heard_until="10")
    assert Past((("a", "10"), ("b", "20"), ("c", "30")), "10") == past.and_then("c", "30", was_placed=False, heard_until="09")
    assert Past((("c", "30"),), "30") == past.and_then("c", "30", was_placed=True, heard_until="29")
    assert NO_PAST is past.and_then("c", "30", was_placed=True, heard_until=None)


def test_no_more_earlier_ids_are_remembered_than_so_many():
    past = NO_PAST
    for number in range(20):
        past = past.and_then(str(number), f"{number:02}", was_placed=False, heard_until="")
    assert [str(number) for number in range(20 - module.MAX_IDS, 20)] == [one for one, _ in past.ids]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


def test_the_newest_heir_is_found_over_all_between_for_a_while(clock: list[float]):
    heirs = Heirs(within_s=120)
    assert "a" == heirs.newest("a")
    heirs.add("a", "b")
    clock[0] += 100
    heirs.add("b", "c")
    heirs.add("c", "d")
    assert ["d", "d", "d", "x"] == [heirs.newest(one) for one in "abdx"]
    clock[0] += 21
    assert ["a", "d"] == [heirs.newest(one) for one in "ab"]
    heirs.add("x", "y")
    assert 3 == len(heirs)


def test_there_are_no_more_heirs_than_so_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_HEIRS", 2)
    heirs = Heirs(within_s=120)
    for one in "abc":
        heirs.add(one, one.upper())
    assert ["a", "B", "C"] == [heirs.newest(one) for one in "abc"]
