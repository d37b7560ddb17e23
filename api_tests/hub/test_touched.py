"""What was touched is remembered longer than what it was, and never said to be all when it is not."""

import pytest

from api_tests.hub.recording import V1
from app.hub import recall as recall_module
from app.hub import touched as module
from app.hub.audience import connections, everyone, rooms, users
from app.hub.publication import Part, Publication, encode, one
from app.hub.recall import Recall
from app.hub.touched import Touched
from app.journal.port import Entry
from app.wire.update import Fragment, Update


def test_the_newest_place_of_each_target_is_known():
    touched = Touched("0")
    touched.note(one(everyone, Update("#a", "1")), "1")
    touched.note(one(users("ada"), Update("#a", "2", oob=(Fragment("#b", ""),))), "2")
    touched.note(one(everyone, Update("#a", "3")), "3")
    assert [("2", users("ada"), ("#a", "#b")), ("3", everyone, ("#a",))] == touched.after("1", [users("ada")])
    assert [("3", everyone, ("#a",))] == touched.after("2", [users("ada")])
    assert [] == touched.after("3", [users("ada")])


def test_a_page_looks_at_its_own_and_at_what_is_for_many():
    touched = Touched("0")
    for number in range(1, 1_000):
        touched.note(one(users(f"u{number}"), Update("#a", "x")), f"{number:04}")
    touched.note(one(users("u1", "u2"), Update("#b", "x")), "1000")
    touched.note(one(rooms("lobby"), Update("#c", "x")), "1001")
    touched.note(one(connections("here"), Update("#d", "x")), "1002")
    own = [users("u7"), rooms("lobby"), connections("here"), users("nobody")]
    assert ["0007", "1001", "1002", "1000"] == [place for place, *_ in touched.after("0", own)]
    assert ["1000"] == [place for place, *_ in touched.after("0", [])]


def test_of_one_audience_the_older_target_is_forgotten_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_WEIGHT", 1_800)
    touched = Touched("0")
    for place, target in enumerate(("#a", "#b", "#c"), 1):
        touched.note(one(users("ada"), Update(target, "x")), str(place))
    assert [("3", users("ada"), ("#c",)), ("2", users("ada"), ("#b",))] == touched.after("1", [users("ada")])
    assert [False, True] == [touched.knows(cursor, "3") for cursor in ("0", "1")]


def test_it_knows_all_between_its_beginning_and_now():
    touched = Touched("5")
    assert [False, True, True, False] == [touched.knows(cursor, "7") for cursor in ("4", "5", "7", "8")]


def test_what_is_forgotten_is_known_to_be_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_WEIGHT", 2_600)
    touched = Touched("0000")
    for number in range(1, 2_000):
        touched.note(one(users(f"u{number}"), Update("#a", "x")), f"{number:04}")
    kept = touched.after("0000", [users(f"u{number}") for number in range(2_000)])
    assert 3 <= len(kept) <= 5
    first = min(int(place) for place, *_ in kept)
    assert [True, False] == [touched.knows(f"{first - back:04}", "1999") for back in (1, 2)]
    assert touched._weight <= 2_600
    touched.note(one(users(*map(str, range(1_000))), Update("#a", "x")), "2000")
    assert (0, [], True) == (touched._weight, [*touched._under], touched.knows("2000", "2000"))


def test_an_entry_is_read_and_encoded_once_for_all_who_missed_it(monkeypatch: pytest.MonkeyPatch):
    recall = Recall()
    parts = Part(everyone, Update("#a", "1")), Part(everyone, Update("#b", "2"))
    entries = [Entry(str(number), encode(Publication("1", parts))) for number in range(5)]
    assert recall.message(entries[0], V1, (0, 1)) is recall.message(entries[0], V1, (0, 1))
    assert recall.message(entries[0], V1, (0,)) is not recall.message(entries[0], V1, (1,))
    recall = Recall()
    monkeypatch.setattr(recall_module, "MAX_BYTES", 2 * len(entries[0].payload))
    first = recall.publication(entries[0])
    for entry in entries:
        recall.publication(entry)
    assert (2, first, False) == (len(recall._recalled), recall.publication(entries[0]), first is recall.publication(entries[0]))


def test_an_entry_is_remembered_for_as_long_as_others_may_ask_for_it(monkeypatch: pytest.MonkeyPatch):
    recall, now = Recall(), 1_000.0
    monkeypatch.setattr(recall_module, "monotonic", lambda: now)
    entries = [Entry(str(number), encode(Publication("1", (Part(everyone, Update("#a", "1")),)))) for number in range(3)]
    first = recall.publication(entries[0])
    now += recall_module.KEPT_S
    recall.publication(entries[1])
    assert recall.publication(entries[0]) is first
    now += 0.1
    recall.publication(entries[2])
    assert ["1", "2"] == list(recall._recalled)
    assert sum(len(entry.payload) for entry in entries[1:]) == recall._bytes


def test_what_is_made_for_pages_that_hear_different_parts_is_bounded_too(monkeypatch: pytest.MonkeyPatch):
    recall = Recall()
    parts = tuple(Part(users(str(number)), Update("#a", "x" * 100)) for number in range(20))
    entry, other = [Entry(str(number), encode(Publication("1", parts, is_batch=True))) for number in (1, 2)]
    limit = len(entry.payload) + 1_000
    monkeypatch.setattr(recall_module, "MAX_BYTES", limit)
    recall.publication(other)
    for place in range(20):
        message = recall.message(entry, V1, (place,))
        assert b"x" * 100 in message.data
        assert recall._bytes == sum(one.size_bytes for one in recall._recalled.values()) <= limit
    recall = Recall()
    monkeypatch.setattr(recall_module, "MAX_BYTES", 10)
    assert message.data == recall.message(entry, V1, (19,)).data
    assert (0, 0) == (len(recall._recalled), recall._bytes)
