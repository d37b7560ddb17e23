"""Online and offline are told once, after a grace: a reload, a second tab or a slow network is no going and coming."""

from typing import Any

import pytest

from api_tests.hub.recording import PLAIN, RecordingSink, make_hub, tab, turns
from api_tests.waiting import MS, eventually
from app.hub import presence
from app.hub.close import Close
from app.hub.events import Events
from app.hub.hub import Hub
from app.hub.presence import Presence
from app.kernel.clock import utc_now
from app.kernel.identity import User

AN_HOUR_S = 3_600


def told_of(hub: Hub) -> list[str]:
    """The events of the hub as they happen: `+ada`, `-ada`."""
    told: list[str] = []
    hub.events.on("user.online", lambda user: told.append(f"+{user.id}"))
    hub.events.on("user.offline", lambda user: told.append(f"-{user.id}"))
    return told


def gone(hub: Hub, page: Any) -> None:
    hub.disconnect(page.connection, 1001, "")


async def grace_is_over(hub: Hub, told: list[str]) -> None:
    """Return when the grace of all who left before this call is over: timers of the same length end in their order."""
    gone(hub, tab(hub, "the last"))
    await eventually(lambda: "-the last" in told)
    told.remove("+the last")
    told.remove("-the last")


async def test_the_first_connection_is_an_arrival_and_a_second_tab_is_none():
    hub = make_hub(grace_s=AN_HOUR_S)
    told = told_of(hub)
    tab(hub, "ada")
    tab(hub, "ada")
    tab(hub)
    assert (["+ada"], 1, True, False) == (told, len(hub.presence), hub.presence.is_online("ada"), hub.presence.is_online("bob"))
    assert hub.presence.absent_since("ada") is None
    assert hub.presence.absent_since("bob") is None


async def test_closing_one_of_two_tabs_is_no_departure():
    hub = make_hub(grace_s=5 * MS)
    told = told_of(hub)
    first, _second = tab(hub, "ada"), tab(hub, "ada")
    gone(hub, first)
    assert hub.presence.absent_since("ada") is None
    await grace_is_over(hub, told)
    assert ["+ada"] == told


async def test_a_reload_is_nothing():
    hub = make_hub(grace_s=50 * MS)
    told = told_of(hub)
    for _ in range(3):
        gone(hub, tab(hub, "ada"))
        assert hub.presence.is_online("ada")
        assert 0 <= (utc_now() - hub.presence.absent_since("ada")).total_seconds() < 5
    page = tab(hub, "ada")
    assert hub.presence.absent_since("ada") is None
    await grace_is_over(hub, told)
    assert ["+ada"] == told
    gone(hub, page)
    await eventually(lambda: len(told) == 2)
    assert ["+ada", "-ada"] == told


async def test_after_the_grace_the_user_is_offline_once_and_arrives_anew():
    hub = make_hub(grace_s=5 * MS)
    told = told_of(hub)
    gone(hub, tab(hub, "ada"))
    await eventually(lambda: told == ["+ada", "-ada"])
    assert (False, None, 0) == (hub.presence.is_online("ada"), hub.presence.absent_since("ada"), len(hub.presence))
    await grace_is_over(hub, told)
    page = tab(hub, "ada")
    assert ["+ada", "-ada", "+ada"] == told
    gone(hub, page)
    gone(hub, page)
    await eventually(lambda: len(told) == 4)
    await grace_is_over(hub, told)
    assert ["+ada", "-ada", "+ada", "-ada"] == told


async def test_a_close_that_is_heard_of_after_the_page_came_back_harms_nothing():
    hub = make_hub(grace_s=5 * MS)
    told = told_of(hub)
    cut_off = tab(hub, "ada")
    tab(hub, "ada")
    gone(hub, cut_off)
    await grace_is_over(hub, told)
    assert (["+ada"], True) == (told, hub.presence.is_online("ada"))


async def test_who_is_there_when_the_grace_is_over_is_asked_then():
    there: set[str] = set()
    told: list[User] = []
    events = Events()
    events.on("user.offline", told.append)
    presence = Presence(events, 0.0, lambda user_id: user_id in there)
    ada = User("ada", "Ada")
    presence.arrived(ada)
    presence.left(ada)
    there.add("ada")
    await eventually(lambda: presence.absent_since("ada") is None)
    assert ([], True) == (told, presence.is_online("ada"))
    there.clear()
    presence.left(ada)
    presence.left(ada)
    presence.left(User("bob", "Bob"))
    await eventually(lambda: told)
    await turns(3)
    assert [ada] == told


async def test_without_a_grace_the_end_is_told_in_the_next_turn():
    hub = make_hub(grace_s=0.0)
    told = told_of(hub)
    gone(hub, tab(hub, "ada"))
    assert ["+ada"] == told
    await eventually(lambda: len(told) == 2)
    assert ["+ada", "-ada"] == told


@pytest.mark.parametrize("grace_s", [0.0, AN_HOUR_S])
async def test_a_server_that_stops_tells_nothing(grace_s: float):
    hub = make_hub(grace_s=grace_s)
    told = told_of(hub)
    gone(hub, tab(hub, "ada"))
    left = tab(hub, "bob")
    closed = tab(hub, "cleo")
    hub.presence.stop()
    gone(hub, left)
    hub.close(closed.connection, Close.RESTARTING)
    gone(hub, closed)
    await turns(5)
    hub.stop()
    tab(hub, "dora")
    await turns(5)
    assert ["+ada", "+bob", "+cleo"] == told


async def test_users_come_and_go_independently():
    hub = make_hub(grace_s=5 * MS)
    told = told_of(hub)
    pages = [tab(hub, user_id) for user_id in ("ada", "bob", "cleo")]
    assert ["+ada", "+bob", "+cleo"] == told
    gone(hub, pages[1])
    await eventually(lambda: "-bob" in told)
    assert (["+ada", "+bob", "+cleo", "-bob"], 2) == (told, len(hub.presence))
    gone(hub, pages[2])
    gone(hub, pages[0])
    await eventually(lambda: len(told) == 6)
    assert ["-cleo", "-ada"] == told[4:]


async def test_somebody_who_signs_in_on_an_open_page_arrives_then():
    hub = make_hub(grace_s=AN_HOUR_S)
    told = told_of(hub)
    arrived = []
    hub.on_arrival(lambda connection: arrived.append(connection.user and connection.user.id))
    page = tab(hub)
    assert ([], [None]) == (told, arrived)
    hub.sign_in(page.connection, User("ada", "Ada"))
    assert (["+ada"], [None, "ada"]) == (told, arrived)
    assert [page.connection] == list(hub.registry.of_user("ada"))
    hub.sign_in(page.connection, User("ada", "Ada L."))
    assert (["+ada"], [None, "ada"], "Ada L.") == (told, arrived, page.connection.user.name)


async def test_whoever_signs_in_on_a_page_that_is_gone_never_arrives():
    hub = make_hub()
    told = told_of(hub)
    page = tab(hub)
    gone(hub, page)
    hub.sign_in(page.connection, User("ada", "Ada"))
    assert ([], 0, None) == (told, len(hub.presence), page.connection.user)


async def test_a_user_who_leaves_has_the_newest_name():
    hub = make_hub(grace_s=0.0)
    left: list[User] = []
    hub.events.on("user.offline", left.append)
    first, second = tab(hub, "ada"), tab(hub, "ada")
    newest = User("ada", "Countess Lovelace", frozenset({"premium"}))
    hub.sign_in(first.connection, newest)
    gone(hub, first)
    gone(hub, second)
    await eventually(lambda: left)
    assert [newest] == left


async def test_who_comes_back_just_after_a_start_was_never_away_and_a_new_page_is_news(monkeypatch: pytest.MonkeyPatch):
    hub = make_hub(grace_s=AN_HOUR_S)
    told = told_of(hub)

    def come(user_id: str, *, is_back: bool) -> None:
        hub.connect(RecordingSink(), PLAIN, User(user_id, user_id), address="", user_agent="", is_back=is_back)

    come("ada", is_back=True)
    come("bob", is_back=False)
    assert (["+bob"], True) == (told, hub.presence.is_online("ada"))
    monkeypatch.setattr(presence, "monotonic", lambda: AN_HOUR_S + hub.presence._began_at)
    come("cleo", is_back=True)
    assert ["+bob", "+cleo"] == told
