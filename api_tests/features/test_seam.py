"""Where what was said before meets what is said from now on: a page that joins shows what is stored, nothing missing or twice."""

import asyncio
from types import SimpleNamespace

import pytest
from markupsafe import Markup

from api_tests.hub.recording import make_hub, turns
from api_tests.waiting import MS, SOON_S, eventually
from app.features.messages import seam as seams
from app.features.messages.seam import MAX_HISTORY_BYTES, SHOWN_ON_JOINING, Seam, Told
from app.hub.audience import connections, except_, rooms
from app.hub.publication import Part, Publication
from app.kernel.ids import new_id
from app.wire.update import Fragment, Update

ROOM = "lobby"


@pytest.fixture
def before():
    """Three messages that were stored when a page read the list, and had been delivered here long before."""
    return [(new_id(), Markup(text)) for text in ("one", "two", "three")]


@pytest.fixture
def told_late():
    """Messages that were changed before they were said."""
    return []


@pytest.fixture
async def seam(before, monkeypatch, told_late):
    monkeypatch.setattr(seams, "WAIT_S", 10 * MS)
    seam = Seam(SimpleNamespace(hub=make_hub(), of=lambda _: SimpleNamespace(told_late=lambda *late: told_late.append(late))))
    async with seam.running():
        yield seam


def joining(seam, page="page"):
    return seam.joining(ROOM, page)


def tell(seam, happened, message_id, text="", room_id=ROOM):
    """What is published of a message is delivered here. Returns who is told."""
    where = f'[data-message-id="{message_id}"]'
    update = {
        "said": Update("#chat-messages", text, "beforeend"),
        "said again": Update(where, "", "delete", (Fragment("#chat-messages", text, "beforeend"),)),
        "edited": Update(where, text, "outerHTML"),
        "removed": Update(where, "", "delete"),
    }[happened]
    news = Told(message_id, room_id, happened.removesuffix(" again")).news()
    publication = Publication("publication", (Part(rooms(room_id), update),), news=news)
    return seam._hub.news.told_of(publication).parts[0].audience


def lines(markup):
    return markup.splitlines()


async def test_a_page_is_shown_what_was_read(seam, before):
    with joining(seam) as page:
        await seam.until_delivered(before, page)
        assert ["one", "two", "three"] == lines(seam.joined(before, page))
    assert {} == seam._late


async def test_what_was_said_since_comes_behind(seam, before):
    with joining(seam) as page:
        tell(seam, "said", new_id(), "four")
        tell(seam, "said", new_id(), "not here", "elsewhere")
        assert ["one", "two", "three", "four"] == lines(seam.joined(before, page))


@pytest.mark.parametrize("happened", ["said", "said again"])
async def test_what_was_read_and_said_since_is_there_once_and_in_its_place(seam, before, happened):
    with joining(seam) as page:
        tell(seam, happened, before[1][0], "two!")
        assert ["one", "two!", "three"] == lines(seam.joined(before, page))


async def test_what_was_said_at_the_same_time_stands_in_the_order_in_which_it_is_stored(seam, before):
    early, late = new_id(), new_id()
    with joining(seam) as page:
        tell(seam, "said", late, "five")
        tell(seam, "said", early, "four")
        assert ["one", "two", "three", "four", "five"] == lines(seam.joined(before, page))


async def test_what_is_read_and_yet_to_be_delivered_is_waited_for(seam, before, monkeypatch):
    monkeypatch.setattr(seams, "WAIT_S", SOON_S)
    new = [(new_id(), Markup(text)) for text in ("four", "five")]
    with joining(seam) as page:
        waiting = asyncio.ensure_future(seam.until_delivered(before + new, page))
        for message_id, _ in new:
            await turns(3)
            assert not waiting.done()
            assert rooms(ROOM) == tell(seam, "said", message_id, "new")
        await waiting
        assert ["one", "two", "three", "new", "new"] == lines(seam.joined(before + new, page))


async def test_what_is_not_delivered_in_time_is_shown_and_does_not_come_again(seam, before):
    new, other = new_id(), new_id()
    for name in ("first", "second"):
        with joining(seam, name) as page:
            await seam.until_delivered([*before, (new, Markup("four"))], page)
            assert ["one", "two", "three", "four"] == lines(seam.joined([*before, (new, Markup("four"))], page))
    assert rooms(ROOM) == tell(seam, "said", other, "five")
    assert except_(rooms(ROOM), connections("first", "second")) == tell(seam, "said", new, "four")
    assert rooms(ROOM) == tell(seam, "said again", new, "four")
    assert {} == seam._late


async def test_what_never_comes_is_looked_out_for_no_longer(seam, before, monkeypatch):
    monkeypatch.setattr(seams, "LATE_S", 10 * MS)
    with joining(seam) as page:
        seam.joined([*before, (new := (new_id(), Markup("four")))], page)
    assert seam._late
    await eventually(lambda: not seam._late)
    monkeypatch.setattr(seams, "WAIT_S", SOON_S)
    with joining(seam) as page:
        waiting = asyncio.ensure_future(seam.until_delivered([*before, new], page))
        await turns(3)
        assert waiting.done()


async def test_what_may_have_been_delivered_and_forgotten_or_lost_is_not_waited_for(seam, before, monkeypatch):
    monkeypatch.setattr(seams, "WAIT_S", SOON_S)
    monkeypatch.setattr(seams, "MAX_REMEMBERED", 1)
    forgotten, lost, delivered = new_id(), new_id(), new_id()
    tell(seam, "said", delivered, "six")
    seam._hub.on_lost.fire()
    for message_id in (new_id(), new_id()):
        tell(seam, "said", message_id, "seven")
    assert 1 == len(seam._delivered)
    read = [*before, *((one, Markup("x")) for one in (forgotten, lost, delivered))]
    with joining(seam) as page:
        async with asyncio.timeout(SOON_S / 2):
            await seam.until_delivered(read, page)
        assert 6 == len(lines(seam.joined(read, page)))
    assert {} == seam._late


async def test_what_was_edited_or_removed_since_is_shown_as_it_is_now(seam, before):
    new = new_id()
    with joining(seam) as page:
        tell(seam, "said", new, "four")
        tell(seam, "edited", before[0][0], "one, edited")
        tell(seam, "removed", before[1][0])
        tell(seam, "edited", new, "four, edited")
        assert ["one, edited", "three", "four, edited"] == lines(seam.joined(before, page))
        tell(seam, "removed", new)
        assert ["one, edited", "three"] == lines(seam.joined(before, page))


async def test_what_was_changed_before_it_was_said_is_looked_at_again(seam, before, told_late, monkeypatch):
    monkeypatch.setattr(seams, "MAX_EARLY", 2)
    forgotten, edited, removed, in_order = new_id(), new_id(), new_id(), new_id()
    tell(seam, "edited", before[0][0], "of before")
    for message_id, happened in (forgotten, "edited"), (edited, "edited"), (removed, "removed"):
        tell(seam, happened, message_id, "new")
    for message_id in (forgotten, edited, removed, in_order):
        tell(seam, "said", message_id, "old")
    tell(seam, "edited", in_order, "new")
    assert [(edited, ROOM), (removed, ROOM)] == told_late
    assert not seam._early


async def test_an_edit_of_what_is_too_old_for_the_list_brings_it_not_back(seam, before):
    with joining(seam) as page:
        tell(seam, "edited", new_id(), "very old, edited")
        assert ["one", "two", "three"] == lines(seam.joined(before, page))


async def test_pages_that_join_at_once_do_not_disturb_each_other(seam):
    with joining(seam) as first:
        tell(seam, "said", new_id(), "four")
        with joining(seam) as second:
            tell(seam, "said", new_id(), "five")
            assert ["five"] == lines(seam.joined([], second))
        tell(seam, "said", new_id(), "six")
        assert ["four", "five", "six"] == lines(seam.joined([], first))
    assert {} == seam._joining  # rooms come and go, memory must not stay


async def test_what_was_said_since_counts_to_what_is_shown(seam, before):
    with joining(seam) as page:
        for number in range(SHOWN_ON_JOINING - 1):
            tell(seam, "said", new_id(), str(number))
        assert ["three", *map(str, range(SHOWN_ON_JOINING - 1))] == lines(seam.joined(before, page))
        tell(seam, "said", new_id(), "x" * (MAX_HISTORY_BYTES - len("\n48\n47")))
        assert ["47", "48"] == lines(seam.joined(before, page))[:-1]
        tell(seam, "said", new_id(), "ä" * MAX_HISTORY_BYTES)
        assert ["ä" * MAX_HISTORY_BYTES] == lines(seam.joined(before, page))
