"""Events: told by name, in order, and no listener can harm another."""

import asyncio
from collections.abc import Callable

import pytest

from api_tests.hub.recording import make_hub, tab
from api_tests.waiting import eventually
from app.hub.events import NAMES, Events
from app.kernel.identity import User

ADA = User("ada", "Ada")


async def test_plain_and_async_functions_hear_of_it_as_decorators_or_not():
    events, heard = Events(), []

    @events.on("user.online")
    def plain(user: User) -> None:
        heard.append(("plain", user))

    @events.on("user.online")
    async def later(user: User) -> None:
        await asyncio.sleep(0)
        heard.append(("async", user))

    events.on("user.online", lambda user: heard.append(("given", user)))
    events.emit("user.online", ADA)
    assert [("plain", ADA), ("given", ADA)] == heard
    assert 1 == len(events.running)
    await eventually(lambda: not events.running)
    assert ("async", ADA) == heard[2]
    plain(ADA)  # a decorated function is still itself
    assert 4 == len(heard)


async def test_a_listener_that_fails_is_logged_and_stops_nobody(logged: Callable[[], str]):
    events, heard = Events(), []

    @events.on("message.sent")
    def fails(_event: object) -> None:
        raise ValueError("at once")

    @events.on("message.sent")
    async def fails_later(_event: object) -> None:
        raise ValueError("later")

    events.on("message.sent", heard.append)
    events.emit("message.sent", "x")
    await eventually(lambda: not events.running)
    assert ["x"] == heard
    lines = logged()
    assert 2 == lines.count('"hook failed"')
    assert 2 == lines.count('"hook":"message.sent"')
    assert all(part in lines for part in ("fails_later", "at once", "later"))


def test_who_no_longer_wants_to_know_is_not_told():
    events, heard = Events(), []
    events.on("user.online", heard.append)
    events.off("user.online", heard.append)
    events.emit("user.online", ADA)
    assert [] == heard
    for name in ("user.online", "user.offline"):
        with pytest.raises(ValueError, match=r"not in list|nothing is called on 'user\.offline'"):
            events.off(name, heard.append)


@pytest.mark.parametrize("name", ["user.onlin", "user", "room.created", "message", "announcement.", "system.Maintenance"])
def test_a_name_that_looks_like_one_of_ours_and_is_none_is_refused(name: str):
    events = Events()
    with pytest.raises(ValueError, match=r"there is no event .*user\.online"):
        events.on(name)
    with pytest.raises(ValueError, match="there is no event"):
        events.emit(name, ADA)


def test_a_site_may_have_events_of_its_own():
    events, heard = Events(), []
    events.on("order.paid", heard.append)
    events.emit("order.paid", 5)
    events.emit("order.returned", 6)
    for name in NAMES:
        events.emit(name, None)
    assert [5] == heard


async def test_the_hub_knows_which_listeners_are_not_done():
    hub = make_hub()
    may_go_on = asyncio.Event()

    async def wait(_event: object) -> None:
        await may_go_on.wait()

    hub.events.on("user.online", wait)
    for hook in (hub.on_connection, hub.on_arrival, hub.on_disconnection):
        hook(wait)
    page = tab(hub, "ada")
    hub.disconnect(page.connection, 1001, "")
    assert 4 == len(hub.running)
    may_go_on.set()
    await eventually(lambda: not hub.running)
