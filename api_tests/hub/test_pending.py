"""What waits, as a value that connections share."""

from app.hub import pending
from app.hub.pending import NOTHING
from app.wire.prepared import Prepared
from app.wire.update import Update


def message(target: str, swap: str = "innerHTML") -> Prepared:
    return Prepared.of_update((f"{target} {swap}".encode(),), Update(target, "x", swap))


def test_nothing_is_empty():
    assert (0, 0, [], b"") == (NOTHING.count, NOTHING.size_bytes, list(NOTHING), NOTHING.whole().data)


def test_messages_keep_their_order_and_their_bytes_are_counted():
    said = [message("#a", "beforeend"), message("#b", "beforeend"), message("#c", "beforeend")]
    pending = NOTHING
    for one in said:
        pending = pending.then(one)
    assert (said, 3, sum(map(len, said))) == (list(pending), pending.count, pending.size_bytes)
    assert b"".join(one.data for one in said) == pending.whole().data


def test_a_single_message_is_written_as_it_is_and_several_are_joined_once():
    only = message("#a")
    assert only is NOTHING.then(only).whole()
    two = NOTHING.then(only).then(message("#b"))
    assert two.whole() is two.whole()


def test_a_longer_one_leaves_the_shorter_as_it_was():
    first = NOTHING.then(message("#a"))
    first.then(message("#a"))
    first.then(message("#b"))
    assert (1, 0) == (first.count, NOTHING.count)


def test_what_a_newer_message_makes_invisible_is_dropped_from_anywhere():
    kept, newest = [message("#b", "beforeend"), message("#c")], message("#a")
    pending = NOTHING.then(message("#a")).then(kept[0]).then(message("#a", "textContent")).then(kept[1])
    longer = pending.then(newest)
    assert ([*kept, newest], 3) == (list(longer), longer.count)
    assert sum(map(len, (*kept, newest))) == longer.size_bytes
    assert 3 == pending.count


def test_what_drops_nothing_begins_with_the_very_same_object():
    pending = NOTHING.then(message("#a")).then(message("#b"))
    assert pending is pending.then(message("#c")).before


def test_only_what_came_since_a_target_was_named_is_made_again():
    before = NOTHING
    for _ in range(1_000):
        before = before.then(message("#feed", "beforeend"))
    pending = before.then(message("#status")).then(message("#feed", "beforeend"))
    longer = pending.then(message("#status"))
    assert (1_002, before) == (longer.count, longer.before and longer.before.before)


def test_targets_that_share_a_bit_are_still_told_apart(monkeypatch):
    monkeypatch.setattr(pending, "TARGET_BITS", 1)
    first = NOTHING.then(message("#a")).then(message("#b"))
    assert first is first.then(message("#c")).before
    newest = message("#a")
    assert [first.message, newest] == list(first.then(newest))


def test_a_long_one_is_let_go_without_depth():
    pending = NOTHING
    for _ in range(200_000):
        pending = pending.then(message("#a", "beforeend"))
    del pending
