"""Announcements: stored, shown to those whom they concern, also to those who come later, edited, recalled, listed."""

import pytest

from api_tests.client import ApiClient
from api_tests.features.announcing import EVERYONE, NEW, announce, change, shown
from api_tests.features.screen import ESCAPED, XSS, refusal, refuses_wrong_data
from api_tests.features.talking import told
from api_tests.server import run_server
from app.features.announcements import board
from app.features.dashboard import service as dashboard


@pytest.fixture(autouse=True)
def dashboard_that_rests(monkeypatch):
    """So that admins hear of announcements only."""
    monkeypatch.setattr(dashboard, "PAUSE_S", 3600)


# -- shown -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("priority", "hears"), [("high", {"user", "premium", "admin"}), ("medium", {"premium", "admin"}), ("low", {"admin"})]
)
async def test_a_priority_reaches_those_whom_it_concerns_now_and_when_they_come(server, api, priority, hears):
    who = {"user": (), "premium": ("premium",), "admin": ("admin",), "nobody": ()}
    made = None
    for is_late in (False, True):
        async with (
            server.socket("user") as user,
            server.socket("premium", roles=who["premium"]) as premium,
            server.socket("admin", roles=who["admin"]) as admin,
            server.socket() as nobody,
        ):
            if not is_late:
                with told(server, "announcement.published") as events:
                    made = await announce(api, priority=priority)
                assert (len(hears), len(hears), len(hears)) == (made["matched"], made["queued"], made["users"])
                assert [(made["id"], priority)] == [(event.id, event.priority) for _, event in events]
            await api.broadcast("marker")
            for name, page in {"user": user, "premium": premium, "admin": admin, "nobody": nobody}.items():
                if name in hears:
                    message = await page.next()
                    assert ("#announcements", "innerHTML" if is_late else "afterbegin") == (message["target"], message["swap"])
                    assert f'<div class="announcement priority-{priority}" id="announcement-{made["id"]}">' in message["html"]
                await page.hears_nothing_but("marker")


async def test_the_text_is_escaped_in_pages_and_as_it_was_in_rest(server, api):
    async with server.socket("ada") as page:
        made = await announce(api, message=XSS, title=XSS)
        html = (await page.next())["html"]
    assert f"<h3>{ESCAPED}</h3>" in html
    assert f"<p>{ESCAPED}</p>" in html
    assert "<small>From: back office</small>" in html
    assert (XSS, XSS) == (made["message"], made["title"])


async def test_an_audience_takes_the_place_of_the_prioritys(server, api):
    async with server.socket("ada") as ada, server.socket("bob") as bob:
        hers = {"kind": "users", "ids": ["ada"]}
        made = await announce(api, priority="low", audience=hers)
        await api.broadcast("marker")
        assert [made["id"]] == (await shown(ada)).ids
        await bob.hears_nothing_but("marker")
    assert hers == made["audience"]


async def test_followers_and_friends_hear_it_also_those_who_come_later_and_after_a_restart(settings):
    async with run_server(settings) as server, ApiClient(server.url, settings.admin_key) as api:
        for pair in (("bob", "ada"), ("ada", "bob"), ("zoe", "ada")):
            await api.post("/follows", dict(zip(("follower_id", "followee_id"), pair, strict=True)))
        async with server.socket("zoe") as zoe, server.socket("eve") as eve:
            to_followers = await announce(api, audience={"kind": "followers_of", "user_id": "ada"})
            to_friends = await announce(api, audience={"kind": "friends_of", "user_id": "ada"})
            assert [1, 0] == [one["matched"] for one in (to_followers, to_friends)]
            await api.broadcast("marker")
            assert [to_followers["id"]] == (await shown(zoe)).ids
            for page in (zoe, eve):
                await page.hears_nothing_but("marker")
        async with server.socket("bob") as bob:
            assert [to_friends["id"], to_followers["id"]] == (await shown(bob)).ids
    async with run_server(settings) as server, server.socket("bob") as bob, server.socket("zoe") as zoe:
        assert [to_friends["id"], to_followers["id"]] == (await shown(bob)).ids
        assert [to_followers["id"]] == (await shown(zoe)).ids


async def test_who_comes_is_shown_the_newest_twenty_in_one_piece(server, api):
    ids = [(await announce(api, message=str(number)))["id"] for number in range(board.MAX_SHOWN + 2)]
    await announce(api, priority="low")  # it takes nobody's place
    async with server.socket("ada") as page:
        screen = await shown(page)
        assert (["innerHTML"], ids[:1:-1]) == (screen.swaps, screen.ids)
        await api.broadcast("marker")
        await page.hears_nothing_but("marker")


async def test_who_comes_back_is_told_also_when_nothing_is_in_force(server, api):
    for user in ("ada", None):
        async with server.socket(user) as new, server.socket(user, path="/ws?cursor=anything") as back:
            message = await back.next_of("#announcements")
            assert ("#announcements", "innerHTML", "") == (message["target"], message["swap"], message["html"])
            await api.broadcast("marker")
            for page in (new, back):
                await page.hears_nothing_but("marker")


async def test_who_is_not_signed_in_is_shown_only_what_is_for_everyone_and_the_rest_after_signing_in(server, api):
    for_all, for_users = await announce(api, audience=EVERYONE), await announce(api)
    async with server.socket() as page:
        assert [for_all["id"]] == (await shown(page)).ids
        await page.say({"handler": "authenticate", "data": {"token": server.token("ada")}})
        screen = await shown(page)
        assert (["innerHTML"], [for_users["id"], for_all["id"]]) == (screen.swaps, screen.ids)


async def test_only_so_many_are_kept_in_memory_and_the_others_are_still_recalled(server, api, monkeypatch):
    monkeypatch.setattr(board, "MAX_KEPT", 1)
    old, new = await announce(api), await announce(api)
    async with server.socket("ada") as page:
        assert [new["id"]] == (await shown(page)).ids
        assert 204 == (await api.delete(f"/announcements/{old['id']}")).status_code
        assert (f"#announcement-{old['id']}", "delete") == ((gone := await page.next())["target"], gone["swap"])


# -- edited, recalled --------------------------------------------------------------------------------------------------
async def test_an_edited_text_takes_the_place_of_the_old_one_on_every_screen(server, api):
    older, made = await announce(api, message="Tea"), await announce(api)
    async with server.socket("ada") as page, server.socket() as nobody:
        screen = await shown(page)
        edited = await change(api, made, message=XSS, title=XSS)
        assert ["innerHTML"] == (await shown(page, screen)).swaps  # the list itself did not change
        assert [(made["id"], ESCAPED), (older["id"], "Tea")] == screen.items
        await api.broadcast("marker")
        await nobody.hears_nothing_but("marker")
    async with server.socket("ada") as page:
        assert screen.items == (await shown(page)).items
    unchanged = {"id", "priority", "audience", "author", "state", "created_at", "published_at", "publish_at", "expires_at"}
    assert {name: made[name] for name in unchanged} == {name: edited[name] for name in unchanged}
    assert edited == (await api.get(f"/announcements/{made['id']}")).json()
    assert (XSS, True) == (edited["message"], edited["edited_at"] > edited["created_at"])


@pytest.mark.parametrize(
    "to_others", [{"priority": "low"}, {"audience": {"kind": "users", "ids": ["root"]}}], ids=["priority", "audience"]
)
async def test_with_another_audience_it_leaves_all_screens_and_is_shown_to_the_new_one(server, api, to_others):
    made = await announce(api)
    async with server.socket("ada") as ada, server.socket("root", roles=("admin",)) as root, server.socket() as nobody:
        screens = {page: await shown(page) for page in (ada, root)}
        await change(api, made, **to_others, message="Cake")
        await api.broadcast("marker")
        assert ([], [(made["id"], "Cake")]) == ((await shown(ada, screens[ada])).items, (await shown(root, screens[root])).items)
        assert [] == (await shown(nobody)).items
        for page in (ada, root, nobody):
            await page.hears_nothing_but("marker")
    async with server.socket("ada") as ada, server.socket("root", roles=("admin",)) as root:
        await api.broadcast("marker")
        await ada.hears_nothing_but("marker")
        assert ["Cake"] == (await shown(root)).texts
    assert made["message"] != (await change(api, made, audience=None, priority="high"))["message"]
    async with server.socket("ada") as ada:
        assert ["Cake"] == (await shown(ada)).texts


async def test_a_recalled_announcement_leaves_every_screen_and_is_shown_to_nobody_who_comes(server, api):
    made = await announce(api)
    async with server.socket("ada") as ada, server.socket() as nobody:
        screen = await shown(ada)
        assert 204 == (await api.delete(f"/announcements/{made['id']}")).status_code
        assert [] == (await shown(ada, screen)).items
        assert "delete" == (await nobody.next())["swap"]  # everybody is told: it may have been somebody else when it was shown
    async with server.socket("ada") as ada:
        await api.broadcast("marker")
        await ada.hears_nothing_but("marker")
    path = f"/announcements/{made['id']}"
    answers = [await api.get(path), await api.call("PATCH", path, {}), await api.delete(path)]
    assert [404] * 3 == [answer.status_code for answer in answers]


# -- over the socket ---------------------------------------------------------------------------------------------------
async def test_an_admin_announces_and_is_told_how_many_users_not_pages_were_reached(server, api):
    async with (
        server.socket("root", name=XSS, roles=("admin",)) as root,
        server.socket("root", roles=("admin",)) as tab,
        server.socket("ada", roles=("premium",)) as ada,
        server.socket("bob") as bob,
        server.socket() as nobody,
    ):
        for priority, users, hearers in (("high", 3, (tab, ada, bob)), ("medium", 2, (tab, ada)), ("low", 1, (tab,))):
            answer = await root.ask("admin-announcement", {"message": XSS, "priority": priority})
            assert ("#answer", f"<div>Announcement sent to {users} users</div>") == (answer["target"], answer["html"])
            for page in hearers:
                html = (await page.next())["html"]
                assert f'<div class="announcement priority-{priority}"' in html
                assert f"<p>{ESCAPED}</p>\n  <small>From: {ESCAPED}</small>" in html
        await api.broadcast("marker")
        for page in (tab, ada, bob, nobody):
            await page.hears_nothing_but("marker")
    stored = (await api.get("/announcements")).json()["items"]
    assert [("low", XSS), ("medium", XSS), ("high", XSS)] == [(one["priority"], one["author"]) for one in stored]


async def test_who_is_no_admin_or_makes_no_sense_announces_nothing(server, api):
    async with (
        server.socket("root", roles=("admin",)) as root,
        server.socket("ada", roles=("premium",)) as ada,
        server.socket() as nobody,
    ):
        for page in (ada, nobody):
            assert "Admin access required" == await refusal(page, "admin-announcement", NEW)
            assert "not_admin" == page.errors[0]["code"]
        await refuses_wrong_data(root, "admin-announcement", NEW)
        for wrong in ("urgent", "High", "", XSS):
            words = "This cannot be used: priority must be one of high, low, medium."
            assert words == await refusal(root, "admin-announcement", {**NEW, "priority": wrong})
        assert "message must not be empty" in await refusal(root, "admin-announcement", {**NEW, "message": ""})
        assert "Please write something first" == await refusal(root, "admin-announcement", {**NEW, "message": " \n"})
        assert "10000 characters at most" in await refusal(root, "admin-announcement", {**NEW, "message": "x" * 10_001})
        assert "not allowed" in await refusal(root, "admin-announcement", {**NEW, "message": "a\0b"})
        await root.say({"handler": "admin-announcement", "data": {**NEW, "message": "x" * 65_536}})
        assert 1009 == (await root.closed())[0]
        await api.broadcast("marker")
        await ada.hears_nothing_but("marker")
    assert [] == (await api.get("/announcements")).json()["items"]
