"""Friends and followers as an audience; friends are told who comes and who goes, each time once."""

import msgspec
import pytest
from sqlalchemy import insert

from api_tests.client import ApiClient
from api_tests.db.beside import storing
from api_tests.features.following import befriend, follow
from api_tests.features.statements import counted_statements
from api_tests.hub.recording import tab
from api_tests.server import ADMIN_KEY, run_server
from api_tests.waiting import MS, eventually
from app import followers_of, friends_of, wsx
from app.features.follows import activity
from app.features.follows.model import FollowRow
from app.features.gathering import Gathering
from app.features.users import ensure_users
from app.kernel.clock import utc_now
from app.kernel.identity import User

XSS = "<img src=x onerror=alert(1)>"
ESCAPED = "&lt;img src=x onerror=alert(1)&gt;"
ACTIVITY = "#friend-activity"


def without_grace(settings):
    return msgspec.structs.replace(settings, presence_grace_s=1 * MS)


@pytest.fixture
async def hasty(settings):
    """A server whose users are offline as soon as their last connection has ended."""
    async with run_server(without_grace(settings)) as running:
        yield running


@pytest.fixture
async def hasty_api(hasty):
    async with ApiClient(hasty.url, ADMIN_KEY) as client:
        yield client


@pytest.fixture
def presence():
    """What the events told, in order: (name, user id)."""
    told = []

    def came(user):
        told.append(("user.online", user.id))

    def went(user):
        told.append(("user.offline", user.id))

    wsx.events.on("user.online", came)
    wsx.events.on("user.offline", went)
    yield told
    wsx.events.off("user.online", came)
    wsx.events.off("user.offline", went)


def seen_by(page):
    """The lines of friends on an in-memory page, oldest first."""
    return [html for html in page.heard if "user-status" in html]


def has_seen(page, count):
    return lambda: len(seen_by(page)) == count


# -- audiences ---------------------------------------------------------------------------------------------------------
async def test_broadcasts_reach_followers_or_friends(api, server):
    await befriend(api, "ada", "bob")
    await follow(api, ("cat", "ada"), ("ada", "dan"))
    followers, friends = ({"kind": kind, "user_id": "ada"} for kind in ("followers_of", "friends_of"))
    async with (
        server.socket("ada") as ada,
        server.socket("bob") as bob,
        server.socket("cat") as cat,
        server.socket("dan") as dan,
        server.socket() as stranger,
    ):
        sent = [
            await api.broadcast("to followers", "#to", followers),
            await api.broadcast("to friends", "#to", friends),
            await api.broadcast("to the rest", "#to", {"kind": "except", "audience": followers, "excluded": friends}),
            await api.broadcast("to nobody", "#to", {"kind": "followers_of", "user_id": "nobody"}),
            await api.broadcast("to all", "#to"),
        ]
        assert [2, 1, 1, 0, 5] == [receipt["matched"] for receipt in sent]
        for page, heard in (
            (bob, ["to followers", "to friends", "to all"]),
            (cat, ["to followers", "to the rest", "to all"]),
            (dan, ["to all"]),
            (ada, ["to all"]),
            (stranger, ["to all"]),
        ):
            assert heard == [(await page.next_of("#to"))["html"] for _ in heard]


async def test_connections_of_followers_and_friends_are_found_and_closed(api, server):
    await befriend(api, "ada", "bob")
    await follow(api, ("cat", "ada"))
    followers, friends = ({"audience": {"kind": kind, "user_id": "ada"}} for kind in ("followers_of", "friends_of"))
    async with server.socket("bob") as bob, server.socket("cat") as cat, server.socket("ada"):
        for audience, found in ((followers, ["bob", "cat"]), (friends, ["bob"])):
            listed = (await api.post("/connections/search", audience)).json()
            assert found == [item["user_id"] for item in listed["items"]]
        for audience, page in ((friends, bob), (followers, cat)):
            assert {"closed": 1} == (await api.post("/connections/close", audience)).json()
            assert 4409 == (await page.closed())[0]


async def test_python_finds_followers_and_friends(api, server):
    await befriend(api, "ada", "bob")
    await follow(api, ("cat", "ada"))
    async with server.socket("bob"), server.socket("cat"), server.socket("ada"):
        for audience, found in ((followers_of("ada"), {"bob", "cat"}), (friends_of("ada"), {"bob"}), (friends_of("x"), set())):
            assert found == {connection.user.id for connection in await wsx.find(audience)}


# -- presence ----------------------------------------------------------------------------------------------------------
async def test_a_second_tab_and_a_reload_within_the_grace_are_no_second_arrival(server, presence):
    async with server.socket("ada"), server.socket("ada"):
        pass
    await server.connected(0)
    async with server.socket("ada"):
        pass
    await server.connected(0)
    assert [("user.online", "ada")] == presence
    assert server.hub.presence.is_online("ada")


async def test_a_user_goes_offline_when_the_last_tab_has_been_gone_for_the_grace(hasty, presence):
    async with hasty.socket("ada"):
        async with hasty.socket("ada"), hasty.socket("bob"):
            pass
        await eventually(lambda: ("user.offline", "bob") in presence)
        await hasty.connected(1)
        assert hasty.hub.presence.is_online("ada")
    await eventually(lambda: ("user.offline", "ada") in presence)
    assert [("user.online", "ada"), ("user.online", "bob"), ("user.offline", "bob"), ("user.offline", "ada")] == presence


# -- friend activity ---------------------------------------------------------------------------------------------------
async def test_friends_see_who_comes_and_goes_and_nobody_else_does(hasty, hasty_api):
    await befriend(hasty_api, "ada", "bob")
    await follow(hasty_api, ("cat", "ada"), ("ada", "dan"))
    async with hasty.socket("bob") as bob, hasty.socket("bob") as tab_2, hasty.socket("cat") as cat, hasty.socket("dan") as dan:
        async with hasty.socket("ada", name="Ada"):
            for page in (bob, tab_2):
                told = await page.next_of(ACTIVITY)
                assert ("afterbegin", '<div class="user-status">Ada is now online</div>') == (told["swap"], told["html"])
        for page in (bob, tab_2):
            assert '<div class="user-status">Ada went offline</div>' == (await page.next_of(ACTIVITY))["html"]
        await hasty_api.broadcast("marker", ACTIVITY)
        for page in (bob, tab_2, cat, dan):
            assert "marker" == (await page.next_of(ACTIVITY))["html"]


async def test_a_friend_who_says_who_it_is_on_an_open_connection_is_told_of_too(api, server):
    await befriend(api, "ada", "bob")
    async with server.socket("bob") as bob:
        server.hub.sign_in(tab(server.hub).connection, User("ada", "Ada"))
        assert "Ada is now online" in (await bob.next_of(ACTIVITY))["html"]


async def test_the_name_of_a_friend_is_shown_escaped(api, server):
    await befriend(api, "ada", "bob")
    async with server.socket("bob") as bob, server.socket("ada", name=XSS):
        assert f'<div class="user-status">{ESCAPED} is now online</div>' == (await bob.next_of(ACTIVITY))["html"]


async def test_of_a_friend_who_goes_and_comes_within_the_pause_only_the_last_is_told(settings, monkeypatch):
    moves = []
    monkeypatch.setattr(activity, "PAUSE_S", 3600)
    monkeypatch.setattr(activity, "Gathering", lambda *what, **how: moves.append(Gathering(*what, **how)) or moves[0])

    async def the_pause_is_over():
        await eventually(lambda: "ada" in moves[0])
        await moves[0].flush()

    async with run_server(without_grace(settings)) as server, ApiClient(server.url, ADMIN_KEY) as api:
        await befriend(api, "ada", "bob")
        watching, ada = tab(server.hub, "bob"), tab(server.hub, "ada")
        await the_pause_is_over()
        await eventually(has_seen(watching, 1))
        server.hub.disconnect(ada.connection, 1001, "")
        await eventually(lambda: not server.hub.presence.is_online("ada"))
        ada = tab(server.hub, "ada")
        await the_pause_is_over()
        await eventually(has_seen(watching, 2))
        server.hub.disconnect(ada.connection, 1001, "")
        await the_pause_is_over()
        await eventually(has_seen(watching, 3))
    came, went = '<div class="user-status">Ada is now online</div>', '<div class="user-status">Ada went offline</div>'
    assert [came, came, went] == seen_by(watching)


async def test_many_who_come_at_once_are_one_query_and_one_publication(settings):
    friends = {f"watching-{count}": [f"user-{count}-{number}" for number in range(count)] for count in (3, 300)}
    await _store_friends(settings, friends)
    counts = []
    async with run_server(settings) as server:
        for user_id, others in friends.items():
            watching = tab(server.hub, user_id)
            tab(server.hub, others[0])
            await eventually(has_seen(watching, 1))
            with counted_statements() as statements:
                for other in others[1:]:
                    tab(server.hub, other)
                await eventually(has_seen(watching, len(others)))
            assert [f'<div class="user-status">{other.title()} is now online</div>' for other in others] == seen_by(watching)
            assert 2 == len([message for message in watching.sink.messages if "user-status" in str(message)])
            counts.append(len([statement for statement in statements if "follows" in statement]))
    assert [1, 1] == counts


async def _store_friends(settings, friends):
    """Before the program starts: six hundred calls would take long."""
    everybody = {user_id for user_id, others in friends.items() for user_id in (user_id, *others)}
    pairs = [pair for one, others in friends.items() for other in others for pair in ((one, other), (other, one))]
    async with storing(settings) as session:
        await ensure_users(session, everybody)
        follows = [{"follower_id": one, "followee_id": other, "created_at": utc_now()} for one, other in pairs]
        await session.execute(insert(FollowRow), follows)


async def test_after_the_end_nobody_is_told_any_more(settings):
    """The events outlive the server, and who is called is seen nowhere outside."""
    async with run_server(settings):
        assert wsx.events._hooks["user.online"]._functions
    assert [[], []] == [wsx.events._hooks[name]._functions for name in ("user.online", "user.offline")]
