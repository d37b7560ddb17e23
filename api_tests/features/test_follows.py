"""Who follows whom: users say so in the browser, the back office over REST."""

from datetime import datetime, timedelta

import pytest

from api_tests.client import ApiClient
from api_tests.db.beside import rows
from api_tests.features.following import befriend, follow
from app.kernel.clock import utc_now

XSS = "<img src=x onerror=alert(1)>"
ESCAPED = "&lt;img src=x onerror=alert(1)&gt;"
NOTIFICATIONS = "#notifications"
FOLLOWS = "SELECT follower_id, followee_id FROM follows ORDER BY 1, 2"


def ids(answer):
    assert 200 == answer.status_code, answer.text
    return [item["user_id"] for item in answer.json()["items"]]


# -- in the browser ----------------------------------------------------------------------------------------------------
async def test_a_user_follows_another_who_is_notified_on_all_tabs(server, settings):
    async with (
        server.socket("ada") as tab_1,
        server.socket("ada") as tab_2,
        server.socket("bob", name="Bob") as bob,
    ):
        answer = await bob.ask("follow-user", {"targetUserId": "ada"})
        assert ("#answer", "<div>Now following user</div>") == (answer["target"], answer["html"])
        for page in (tab_1, tab_2):
            told = await page.next_of(NOTIFICATIONS)
            assert "afterbegin" == told["swap"]
            for text in ('class="notification info', "New Follower", "Bob started following you"):
                assert text in told["html"]
            assert "1" == told["oob"][0]["html"]
    assert [("bob", "ada")] == rows(settings, FOLLOWS)


async def test_following_twice_says_so_and_notifies_once(api, server, settings):
    async with server.socket("ada") as ada, server.socket("bob") as bob:
        await bob.ask("follow-user", {"targetUserId": "ada"})
        again = await bob.ask("follow-user", {"targetUserId": "ada"})
        assert ("<div>You follow this user already</div>", []) == (again["html"], bob.errors)
        await ada.next_of(NOTIFICATIONS)
        await api.broadcast("marker")
        await ada.hears_nothing_but("marker")
    assert 1 == (await api.get("/users/ada/notifications")).json()["unread_count"]
    assert [("bob", "ada")] == rows(settings, FOLLOWS)


async def test_a_user_unfollows_and_nobody_is_told(api, server, settings):
    await follow(api, ("bob", "ada"))
    async with server.socket("ada") as ada, server.socket("bob") as bob:
        await ada.next_of(NOTIFICATIONS)
        assert "<div>No longer following user</div>" == (await bob.ask("unfollow-user", {"targetUserId": "ada"}))["html"]
        again = await bob.ask("unfollow-user", {"targetUserId": "ada"})
        assert ("<div>You do not follow this user</div>", []) == (again["html"], bob.errors)
        await api.broadcast("marker")
        await ada.hears_nothing_but("marker")
    assert [] == rows(settings, FOLLOWS)


async def test_somebody_who_is_away_can_be_followed_and_hears_of_it_at_the_next_connect(api, server):
    await api.put("/users/ada", {"name": "Ada"})
    async with server.socket("bob", name="Bob") as bob:
        assert "<div>Now following user</div>" == (await bob.ask("follow-user", {"targetUserId": "ada"}))["html"]
    async with server.socket("ada") as ada:
        assert "Bob started following you" in (await ada.next_of(NOTIFICATIONS))["html"]


@pytest.mark.parametrize(
    ("data", "sentence", "code"),
    [
        ({"targetUserId": "bob"}, "You cannot follow yourself", "oneself"),
        ({"targetUserId": "nobody"}, "There is no such user", "no_such_user"),
        ({}, "This cannot be used: targetUserId is missing.", "bad_data"),
        ({"targetUserId": ""}, "This cannot be used: targetUserId must not be empty.", "bad_data"),
        ({"targetUserId": None}, "This cannot be used: targetUserId must be a text.", "bad_data"),
        ({"targetUserId": ["ada"]}, "This cannot be used: targetUserId must be a text.", "bad_data"),
        ({"targetUserId": "a\0"}, "This cannot be used: targetUserId holds characters that are not allowed.", "bad_data"),
        ({"targetUserId": "x" * 60_000}, "This cannot be used: targetUserId may have 128 characters at most.", "bad_data"),
    ],
)
async def test_whom_one_cannot_follow(server, settings, data, sentence, code):
    async with server.socket("bob") as bob:
        answer = await bob.ask("follow-user", data)
        assert (f'<div class="error">{sentence}</div>', code) == (answer["html"], bob.errors[0]["code"])
    assert [] == rows(settings, FOLLOWS)
    assert [] == rows(settings, "SELECT 1 FROM users WHERE id <> 'bob'")


async def test_without_a_name_nobody_follows(server, settings):
    async with server.socket() as stranger:
        for handler, sentence in (
            ("follow-user", "Please log in to follow users"),
            ("unfollow-user", "Please log in to unfollow users"),
        ):
            answer = await stranger.ask(handler, {"targetUserId": "ada"})
            assert f'<div class="error">{sentence}</div>' == answer["html"]
        assert ["not_signed_in"] * 2 == [error["code"] for error in stranger.errors]


async def test_a_wrong_unfollow_is_refused(server):
    async with server.socket("bob") as bob:
        answer = await bob.ask("unfollow-user", {"targetUserId": 5})
        assert '<div class="error">This cannot be used: targetUserId must be a text.</div>' == answer["html"]
        assert "<div>You do not follow this user</div>" == (await bob.ask("unfollow-user", {"targetUserId": "nobody"}))["html"]


async def test_the_name_of_a_follower_is_shown_escaped(server):
    async with server.socket("ada") as ada, server.socket("bob", name=XSS) as bob:
        await bob.ask("follow-user", {"targetUserId": "ada"})
        html = (await ada.next_of(NOTIFICATIONS))["html"]
        assert f"{ESCAPED} started following you" in html
        assert XSS not in html


async def test_an_id_that_holds_markup_is_an_id_like_another(server, settings):
    async with server.socket(XSS), server.socket("bob") as bob:
        assert "<div>Now following user</div>" == (await bob.ask("follow-user", {"targetUserId": XSS}))["html"]
        assert [] == bob.errors
    assert [("bob", XSS)] == rows(settings, FOLLOWS)


# -- REST --------------------------------------------------------------------------------------------------------------
async def test_the_back_office_says_who_follows_whom_and_again_changes_nothing(api, server):
    body = {"follower_id": "bob", "followee_id": "ada"}
    async with server.socket("ada") as ada:
        new, again = await api.post("/follows", body), await api.post("/follows", body)
        assert (201, 200) == (new.status_code, again.status_code)
        assert new.json() == again.json()
        assert body.items() <= new.json().items()
        assert utc_now() - datetime.fromisoformat(new.json()["created_at"]) < timedelta(minutes=1)
        assert "bob started following you" in (await ada.next_of(NOTIFICATIONS))["html"]
        await api.broadcast("marker")
        await ada.hears_nothing_but("marker")
    assert ["ada", "bob"] == [item["id"] for item in (await api.get("/users")).json()["items"]]


async def test_a_follower_whom_the_back_office_names_is_called_by_name(api, server):
    await api.put("/users/zoe", {"name": "Zoe of the row"})
    async with server.socket("bob", name="Bob of the token"):
        await follow(api, ("bob", "ada"), ("zoe", "ada"))
    told = [item["message"] for item in (await api.get("/users/ada/notifications")).json()["items"]]
    assert ["Zoe of the row started following you", "Bob of the token started following you"] == told


async def test_the_back_office_ends_a_follow_once(api):
    await befriend(api, "ada", "bob")
    assert [204, 404] == [(await api.delete("/follows/bob/ada")).status_code for _ in range(2)]
    assert (["bob"], []) == (ids(await api.get("/users/ada/following")), ids(await api.get("/users/ada/followers")))
    assert 404 == (await api.delete("/follows/nobody/ada")).status_code


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"follower_id": "ada", "followee_id": "ada"}, "/followee_id"),
        ({"follower_id": "ada"}, "/followee_id"),
        ({"follower_id": "", "followee_id": "ada"}, "/follower_id"),
        ({"follower_id": "x" * 129, "followee_id": "ada"}, "/follower_id"),
        ({"follower_id": "a\0", "followee_id": "ada"}, "/follower_id"),
        ({"follower_id": 5, "followee_id": "ada"}, "/follower_id"),
        ({"follower_id": "bob", "followee_id": "ada", "since": "now"}, "/since"),
    ],
)
async def test_a_wrong_follow_is_refused(api, settings, body, pointer):
    refused = await api.post("/follows", body)
    assert (422, pointer) == (refused.status_code, refused.json()["errors"][0]["pointer"])
    assert [] == rows(settings, "SELECT id FROM users")


async def test_lists_name_followers_followed_and_friends(api):
    await api.put("/users/bob", {"name": XSS})
    await befriend(api, "ada", "bob", "cat")
    await follow(api, ("dan", "ada"), ("ada", "eve"))
    lists = {name: (await api.get(f"/users/ada/{name}")).json()["items"] for name in ("followers", "following", "friends")}
    assert {"followers": ["bob", "cat", "dan"], "following": ["bob", "cat", "eve"], "friends": ["bob", "cat"]} == {
        name: [item["user_id"] for item in items] for name, items in lists.items()
    }
    assert [XSS, "cat", "dan"] == [item["name"] for item in lists["followers"]]


async def test_friends_are_friends_since_the_later_of_the_two(api):
    await follow(api, ("ada", "bob"))
    later = (await api.post("/follows", {"follower_id": "bob", "followee_id": "ada"})).json()["created_at"]
    for one, other in (("ada", "bob"), ("bob", "ada")):
        assert [{"user_id": other, "name": other, "since": later}] == (await api.get(f"/users/{one}/friends")).json()["items"]


@pytest.mark.parametrize("name", ["followers", "following", "friends"])
async def test_lists_come_in_pages(api, name):
    await befriend(api, "ada", "dan", "bob", "cat")
    first = await api.get(f"/users/ada/{name}?limit=2")
    cursor = first.json()["next_cursor"]
    assert f"cursor={cursor}" in first.headers["link"]
    assert (["bob", "cat"], ["dan"]) == (ids(first), ids(last := await api.get(f"/users/ada/{name}?limit=2&cursor={cursor}")))
    assert (None, 422) == (last.json()["next_cursor"], (await api.get(f"/users/ada/{name}?cursor=x")).status_code)
    assert [] == ids(await api.get(f"/users/nobody/{name}"))
    assert 422 == (await api.get(f"/users/{'x' * 129}/{name}")).status_code


async def test_each_call_needs_its_scope(api, server):
    calls = {
        "follows:read": [("GET", f"/users/ada/{name}") for name in ("followers", "following", "friends")],
        "follows:write": [("POST", "/follows"), ("DELETE", "/follows/bob/ada")],
    }
    for scope, its in calls.items():
        (other,) = calls.keys() - {scope}
        async with (
            ApiClient(server.url, await api.key_with(scope)) as may,
            ApiClient(server.url, await api.key_with(other)) as not_it,
        ):
            for method, path in its:
                body = {"follower_id": "bob", "followee_id": "ada"} if method == "POST" else None
                assert 403 == (await not_it.call(method, path, body)).status_code
                assert (await may.call(method, path, body)).is_success
