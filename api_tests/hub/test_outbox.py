"""The outbox: bounded for those who do not read, and only what nobody could see is thrown away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_tests.hub.recording import RecordingSink
from app.hub.outbox import Offer, Outbox
from app.wire.prepared import Prepared
from app.wire.swap import STYLES
from app.wire.update import Fragment, Update
from app.wire.wsx import dialect

FORM = dialect(extended=False)


def message(target: str = "#a", html: str = "x", swap: str = "innerHTML", oob: tuple[Fragment, ...] = ()) -> Prepared:
    update = Update(target, html, swap, oob)
    return Prepared.of_update(FORM.encode_update("b", update, ""), update)


def blocked_outbox(max_bytes: int = 1_000) -> Outbox:
    outbox = Outbox(RecordingSink(), max_bytes)
    outbox.blocked = True
    return outbox


def offer(outbox: Outbox, message: Prepared) -> Offer:
    return outbox.offer(outbox.pending.then(message))


def test_a_blocked_one_takes_its_bytes_and_no_more():
    first = message("#a", "x" * 300, "beforeend")
    outbox = blocked_outbox(2 * len(first))
    assert [Offer.QUEUED, Offer.QUEUED, Offer.OVERFLOW] == [offer(outbox, first) for _ in range(3)]
    assert 2 * len(first) == outbox.queued_bytes


def test_a_healthy_one_takes_what_comes_in_one_turn():
    outbox = Outbox(RecordingSink(), 10)
    assert [Offer.QUEUED] * 50 == [offer(outbox, message(swap="beforeend")) for _ in range(50)]


def test_a_closed_one_takes_nothing_and_holds_nothing():
    outbox = blocked_outbox()
    offer(outbox, message())
    outbox.close()
    assert Offer.CLOSED == offer(outbox, message())
    assert ([], 0) == (list(outbox.pending), outbox.queued_bytes)


def test_the_newest_of_a_replaced_target_is_enough_for_who_reads_slowly():
    newest = message(html="9")
    outbox = blocked_outbox(2 * len(newest))
    assert Offer.QUEUED == offer(outbox, message(html="0"))
    assert [Offer.REPLACED] * 100 == [offer(outbox, message(html=str(number % 9))) for number in range(100)]
    assert Offer.REPLACED == offer(outbox, newest)
    assert ([newest], len(newest)) == (list(outbox.pending), outbox.queued_bytes)


@pytest.mark.parametrize(
    ("waiting", "newer"),
    [
        (message("#a"), message("#b")),
        (message("#a", swap="beforeend"), message("#a", swap="innerHTML")),
        (message("#a", swap="outerHTML"), message("#a", swap="innerHTML")),
        (message("#a"), message("#a", swap="beforeend")),
        (message("#a"), message("#a", swap="none")),
        (message("#a", oob=(Fragment("#b", "y"),)), message("#a")),
        (Prepared(b"{}"), message("#a")),
    ],
)
def test_what_a_page_could_still_see_stays(waiting: Prepared, newer: Prepared):
    outbox = blocked_outbox()
    offer(outbox, waiting)
    assert Offer.QUEUED == offer(outbox, newer)
    assert [waiting, newer] == list(outbox.pending)


def shown(messages: list[Update]) -> dict[str, list[str]]:
    """What flat targets hold after these updates; the words that only need an order."""
    page: dict[str, list[str]] = {"#a": [], "#b": []}
    for update in messages:
        for part in (update, *update.oob):
            match part.swap:
                case "innerHTML" | "textContent" | "morph":
                    page[part.target] = [part.html]
                case "beforeend":
                    page[part.target].append(part.html)
                case "afterbegin":
                    page[part.target].insert(0, part.html)
    return page


targets = st.sampled_from(["#a", "#b"])
words = st.sampled_from(sorted(STYLES & {"innerHTML", "textContent", "morph", "beforeend", "afterbegin", "none"}))
fragments = st.builds(Fragment, targets, st.text("abc", max_size=2), words)
updates = st.builds(Update, targets, st.text("abc", max_size=2), words, st.lists(fragments, max_size=1).map(tuple))


@given(st.lists(updates, max_size=12))
def test_a_slow_page_ends_up_with_what_a_fast_one_shows(sent: list[Update]):
    outbox = blocked_outbox(1_000_000)
    by_message = {}
    for update in sent:
        prepared = Prepared.of_update((b"",), update)
        by_message[id(prepared)] = update, prepared
        offer(outbox, prepared)
    assert shown(sent) == shown([by_message[id(left)][0] for left in outbox.pending])
