"""One connection, as handlers see it: its rooms, and how long its page has been silent."""

from datetime import timedelta

import pytest

from api_tests.hub.recording import make_hub, tab
from app.hub.audience import everyone
from app.hub.publication import one
from app.kernel.clock import utc_now
from app.wire.update import Update


def test_most_connections_are_in_no_room_and_pay_for_none():
    page = tab(make_hub()).connection
    page.exit("lobby")
    assert (None, ()) == (page._rooms, page.rooms)
    assert ((), {}) == (page.rooms_at("9"), page.rooms_since)
    page.enter("lobby", "1")
    page.enter("kitchen", "2")
    page.enter("lobby", "5")
    assert (["kitchen", "lobby"], {"kitchen": "2", "lobby": "1"}) == (list(page.rooms), page.rooms_since)
    assert [[], ["lobby"], ["kitchen", "lobby"]] == [list(page.rooms_at(cursor)) for cursor in ("1", "2", "3")]
    page.exit("lobby")
    assert ["kitchen"] == list(page.rooms)


def silent(connection, seconds: float) -> None:
    """As if the page had sent nothing for so long."""
    connection._active_at -= seconds


async def test_a_page_is_active_when_it_sends_and_not_when_it_is_sent_something():
    hub = make_hub()
    page = tab(hub).connection
    assert 0 <= page.idle_s < 5
    silent(page, 600)
    page.send(Update("#a", "pushed"))
    await hub.publish(one(everyone, Update("#a", "published")))
    assert pytest.approx(600, abs=5) == page.idle_s
    assert timedelta(minutes=10) <= utc_now() - page.last_active_at < timedelta(minutes=10, seconds=5)
    page.touch()
    assert 0 <= page.idle_s < 5
    assert page.last_active_at <= utc_now()
