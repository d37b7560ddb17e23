"""The checker itself, on histories that are made up: each kind of wrong is found, and nothing else."""

import pytest

from api_tests.faults.checker import Event, Gap, History, Listed, Seen, Sent, Violation, Wrong, check, pushed_behind_a_list

ADA, BOB = "ada", "bob"
FEED = "#feed"


def sent(mark: str, at: float, *hearers: str, is_stored: bool = True, answered: bool = True, in_order: bool = True) -> Sent:
    return Sent(mark, frozenset(hearers or {ADA, BOB}), is_stored, at, at + 0.5 if answered else None, in_order)


def of(name: str, *events: Event) -> History:
    return History(name, FEED, list(events))


A, B, C = Seen("a", "01"), Seen("b", "02"), Seen("c", "03")
SENT = [sent("a", 1), sent("b", 2), sent("c", 3)]
ALL = of(BOB, A, B, C)


def found(*events: Event, said: list[Sent] = SENT, stored: str = "abc") -> list[Violation]:
    """What is wrong with Ada's page; Bob's saw everything."""
    return check(said, set(stored), [of(ADA, *events), ALL])


def test_a_run_in_which_all_is_well():
    assert [] == found(A, B, C)


def test_what_was_acknowledged_and_is_not_stored_is_lost():
    assert [Violation(Wrong.LOST, "d")] == check([*SENT, sent("d", 4, "nobody")], set("abc"), [ALL])


def test_what_was_not_acknowledged_may_be_anywhere_or_nowhere():
    said = [sent("a", 1), sent("b", 2), sent("c", 3, answered=False)]
    assert [] == found(A, B, said=said)
    assert [] == check(said, {"a", "b"}, [of(ADA, A, B)])


def test_what_is_shown_must_be_stored_also_when_it_was_not_acknowledged():
    said = [*SENT[:2], sent("c", 3, answered=False)]
    assert [Violation(Wrong.UNSTORED, "c", BOB)] == found(A, B, said=said, stored="ab")


def test_what_is_not_of_a_kind_that_is_stored_need_not_be():
    said = [*SENT[:2], sent("c", 3, is_stored=False)]
    assert [] == found(A, B, C, said=said, stored="ab")


@pytest.mark.parametrize("events", [(A, C), (A, Gap("01", "02"), C)], ids=["without a word", "behind a gap, and on no list"])
def test_what_is_stored_and_was_not_shown_is_missing(events: tuple[Event, ...]):
    assert [Violation(Wrong.MISSING, "b", ADA)] == found(*events)


def test_a_list_shows_what_was_missed():
    assert [] == found(A, Gap("01", "02"), Listed("a"), Listed("b"), C)


@pytest.mark.parametrize(
    ("gap", "is_excused"),
    [
        (Gap("01", "02"), True),
        (Gap("", "03", frozenset({FEED})), True),
        (Gap("01", "02", frozenset({"#elsewhere"})), False),
        (Gap("02", "03"), False),
        (Gap("", "01"), False),
    ],
    ids=["of just that", "of more, in its target", "in another target", "of later", "of earlier"],
)
def test_only_a_truthful_gap_excuses_what_is_not_stored(gap: Gap, is_excused: bool):
    said = [sent("a", 1), sent("b", 2, is_stored=False), sent("c", 3)]
    assert ([] if is_excused else [Violation(Wrong.MISSING, "b", ADA)]) == found(A, gap, C, said=said, stored="ac")


def test_a_gap_excuses_nothing_whose_place_nobody_saw():
    said = [*SENT, sent("d", 4, ADA, is_stored=False)]
    assert [Violation(Wrong.MISSING, "d", ADA)] == found(A, B, C, Gap("", "99"), said=said)


def test_what_is_shown_twice_is_found():
    assert [Violation(Wrong.TWICE, "b", ADA)] == found(A, B, B._replace(cursor="03"), C._replace(cursor="04"))


def test_a_list_that_is_made_anew_shows_nothing_twice():
    assert [] == found(A, B, Listed("a"), Listed("b"), C, Listed("b"))


def test_places_that_go_back_are_out_of_order():
    at_once = [one._replace(asked_at=1, answered_at=2) for one in SENT]
    assert [Violation(Wrong.ORDER, "b", ADA)] == found(A, C, B, said=at_once)


def test_what_was_acknowledged_before_another_was_asked_for_comes_before_it():
    swapped = A._replace(cursor="02"), B._replace(cursor="01")
    assert [Violation(Wrong.ORDER, "a", ADA)] == found(swapped[1], swapped[0], C)


@pytest.mark.parametrize(("until", "is_hidden"), [("00", False), ("01", True)], ids=["before it", "with its place"])
def test_what_a_gap_hid_may_be_shown_behind_what_came_since(until: str, is_hidden: bool):
    again = A._replace(cursor="02")
    assert ([] if is_hidden else [Violation(Wrong.ORDER, "a", ADA)]) == found(Gap("", until), B, again, C)


@pytest.mark.parametrize(("told_at", "is_hidden"), [(0.8, False), (1.2, True), (1.8, True)], ids=["later", "on its way", "before"])
def test_what_one_page_alone_hears_may_be_in_a_gap_that_was_told_since_it_was_asked_for(told_at: float, is_hidden: bool):
    said = [sent("a", 1, ADA), *SENT[1:]]
    shown = [of(ADA, Gap("", "00", at=told_at), B, A._replace(cursor="02"), C), of(BOB, B, C)]
    assert ([] if is_hidden else [Violation(Wrong.ORDER, "a", ADA)]) == check(said, set("abc"), shown)


def test_what_was_acknowledged_while_redis_was_away_has_its_place_later():
    said = [sent("a", 1, in_order=False), *SENT[1:]]
    assert [] == found(B, C, A._replace(cursor="04"), said=said)


def test_of_what_was_pushed_without_its_place_no_place_is_compared():
    at_once = [one._replace(asked_at=1, answered_at=2) for one in SENT]
    assert [] == found(A, C, B._replace(cursor=""), said=at_once)


def test_what_one_sees_who_was_not_to_see_it_is_found():
    said = [*SENT[:2], sent("c", 3, BOB)]
    assert [Violation(Wrong.FOREIGN, "c", ADA)] == found(A, B, C, said=said)
    assert [Violation(Wrong.FOREIGN, "x", ADA)] == found(A, B, Listed("x"), said=said)


@pytest.mark.parametrize(
    ("events", "count"),
    [((A, B, C), 0), ((Listed("b"), B), 1), ((B, Listed("b")), 0), ((A, Listed("a"), Listed("b"), Listed("b"), B, Listed("b")), 1)],
    ids=["no list", "pushed behind it", "on it afterwards", "one of two"],
)
def test_what_was_on_a_list_and_is_pushed_behind_it_is_counted_and_not_wrong(events: tuple[Event, ...], count: int):
    assert count == pushed_behind_a_list(of(ADA, *events))
    assert Wrong.TWICE not in {one.wrong for one in found(*events)}
