"""Notifications: stored, on all tabs of their users, and an inbox whose counts are always right."""

from datetime import datetime, timedelta

from api_tests.client import ApiClient
from api_tests.db.beside import rows
from api_tests.features.post import posting
from api_tests.features.screen import ESCAPED, XSS, Screen, refusal, refuses_wrong_data
from api_tests.waiting import eventually
from app.kernel.clock import utc_now

NEW = {"user_ids": ["ada"], "title": "New order", "message": "Order 1042 was paid"}
MISSING = "019312d0-c3f7-7a1b-b1d0-b8e4a3c5f6d7"


async def notify(api, **changes):
    """Send one; returns its id."""
    return (await api.post("/notifications", {**NEW, **changes})).json()["items"][0]["id"]


async def test_users_of_whom_nothing_was_known_are_named(api, server):
    async with server.socket("ada"):
        sent = [(await api.post("/notifications", {**NEW, "user_ids": ["ada", "bbo", "dora"]})).json() for _ in range(2)]
    assert [["bbo", "dora"], []] == [one["new_users"] for one in sent]


async def inbox(api, state="all", user="ada"):
    """Ids, number of unread and of unseen ones."""
    found = (await api.get(f"/users/{user}/notifications?state={state}")).json()
    return [item["id"] for item in found["items"]], found["unread_count"], found["unseen_count"]


def badge(message):
    """What the badge shows after the message."""
    (part,) = message["oob"]
    assert ("#notification-count", "textContent") == (part["target"], part["swap"])
    return part["html"]


# -- sent --------------------------------------------------------------------------------------------------------------
async def test_all_tabs_of_the_user_are_told_and_nobody_elses(server, api):
    async with server.socket("ada") as tab, server.socket("ada") as other_tab, server.socket("bob") as bob:
        sent = await api.post("/notifications", {**NEW, "title": XSS, "message": XSS, "type": "warning"})
        await api.broadcast("marker")
        assert (201, 2) == (sent.status_code, sent.json()["queued"])
        (made,) = sent.json()["items"]
        assert {"user_id": "ada", "type": "warning", "title": XSS, "message": XSS, "read_at": None}.items() <= made.items()
        for page in (tab, other_tab):
            told = await page.next()
            assert ("#notifications", "afterbegin", "1") == (told["target"], told["swap"], badge(told))
            assert f'<div class="notification warning" id="notification-{made["id"]}">' in told["html"]
            assert f'<span class="title">{ESCAPED}</span>' in told["html"]
            assert f'<span class="message">{ESCAPED}</span>' in told["html"]
        await bob.hears_nothing_but("marker")


async def test_many_users_get_one_each_with_their_own_count(server, api):
    async with posting(server, "notifications") as post, server.socket("ada") as ada, server.socket("zoe") as zoe:
        await post.send("one more", to="zoe")
        assert ["one more"] == (await post.shown(zoe)).texts
        sent = (await api.post("/notifications", {**NEW, "user_ids": ["zoe", "ada", "eve"]})).json()
        assert (["ada", "eve", "zoe"], 2) == ([item["user_id"] for item in sent["items"]], sent["queued"])
        assert ["1", "2"] == [badge(await page.next()) for page in (ada, zoe)]
    assert 1 == (await inbox(api, user="eve"))[1]


async def test_a_thousand_users_are_notified_at_once_and_more_are_refused(api):
    ids = [f"user-{number}" for number in range(1_001)]
    assert 1_000 == len((await api.post("/notifications", {**NEW, "user_ids": ids[:1_000]})).json()["items"])
    refused = await api.post("/notifications", {**NEW, "user_ids": ids})
    assert (422, "/user_ids") == (refused.status_code, refused.json()["errors"][0]["pointer"])


async def test_a_user_who_connects_is_written_down_with_name_and_roles(server, settings, api):
    await notify(api)
    assert [("ada", "[]")] == rows(settings, "SELECT name, roles FROM users")
    async with server.socket("ada", name="Ada L.", roles=("premium",)):
        await eventually(lambda: [("Ada L.", '["premium"]')] == rows(settings, "SELECT name, roles FROM users"))


WRONG = [
    ({"user_ids": []}, "/user_ids"),
    ({"user_ids": [""]}, "/user_ids/0"),
    ({"user_ids": "ada"}, "/user_ids"),
    ({"user_ids": ["x" * 129]}, "/user_ids/0"),
    ({"title": ""}, "/title"),
    ({"title": "x" * 201}, "/title"),
    ({"title": None}, "/title"),
    ({"message": "x" * 10_001}, "/message"),
    ({"message": "\0"}, "/message"),
    ({"type": "x y"}, "/type"),
    ({"type": "x\n"}, "/type"),
    ({"type": XSS}, "/type"),
    ({"kind": "x"}, "/kind"),
]


async def test_a_wrong_notification_is_refused_by_name_and_not_stored(api):
    for changes, pointer in WRONG:
        answer = await api.post("/notifications", {**NEW, **changes})
        assert (422, pointer) == (answer.status_code, answer.json()["errors"][0]["pointer"]), changes
    assert ([], 0, 0) == await inbox(api)
    assert 404 == (await api.get("/users/ada")).status_code


# -- an inbox ----------------------------------------------------------------------------------------------------------
async def test_each_state_has_its_time_is_undone_and_is_counted_in_the_same_answer(api):
    one, other = await notify(api), await notify(api)
    states = ("read_at", "seen_at", "archived_at")
    for method, path, times, counts in [
        ("PUT", "seen", {"seen_at"}, (2, 1)),
        ("PUT", "read", {"seen_at", "read_at"}, (1, 1)),
        ("DELETE", "seen", {"read_at"}, (1, 2)),
        ("DELETE", "read", set(), (2, 2)),
        ("PUT", "read", {"seen_at", "read_at"}, (1, 1)),
        ("PUT", "archived", {"seen_at", "read_at", "archived_at"}, (1, 1)),
        ("DELETE", "read", {"seen_at", "archived_at"}, (1, 1)),
        ("DELETE", "archived", {"seen_at"}, (2, 1)),
    ]:
        answers = [await api.call(method, f"/notifications/{one}/{path}") for _ in range(2)]  # again changes nothing
        assert [200, 200] == [answer.status_code for answer in answers]
        assert answers[0].json() == answers[1].json()
        marked = answers[0].json()
        assert times == {name for name in states if marked[name] is not None}, (method, path)
        assert all(utc_now() - datetime.fromisoformat(marked[name]) < timedelta(minutes=1) for name in times)
        assert counts == (marked["unread_count"], marked["unseen_count"]) == (await inbox(api))[1:]
    assert ([other, one], 2, 1) == await inbox(api)


async def test_the_list_shows_what_is_asked_for_page_by_page(api):
    fresh, seen, read, archived = [await notify(api) for _ in range(4)]
    for one, state in ((seen, "seen"), (read, "read"), (archived, "archived")):
        await api.put(f"/notifications/{one}/{state}")
    expected = {"all": [read, seen, fresh], "unread": [seen, fresh], "unseen": [fresh], "archived": [archived]}
    assert {state: (ids, 2, 1) for state, ids in expected.items()} == {state: await inbox(api, state) for state in expected}
    first = await api.get("/users/ada/notifications?state=unread&limit=1")
    assert [seen] == [item["id"] for item in first.json()["items"]]
    cursor = first.json()["next_cursor"]
    assert f'<?limit=1&state=unread&cursor={cursor}>; rel="next"' == first.headers["link"]
    rest = (await api.get(f"/users/ada/notifications?state=unread&cursor={cursor}")).json()
    assert ([fresh], None, 2) == ([item["id"] for item in rest["items"]], rest["next_cursor"], rest["unread_count"])


async def test_the_item_and_the_badge_change_on_all_tabs_in_one_update(server, api):
    async with server.socket("ada") as tab, server.socket("ada") as other_tab:
        one, other = await notify(api), await notify(api)
        screens = {page: Screen("#notifications") for page in (tab, other_tab)}
        for method, path, ids, count, changed in [
            (None, None, [one], "1", '<div class="notification info"'),
            (None, None, [other, one], "2", '<div class="notification info"'),
            ("PUT", "seen", [other, one], "2", '<div class="notification info"'),
            ("PUT", "read", [other, one], "1", '<div class="notification info read"'),
            ("DELETE", "read", [other, one], "2", '<div class="notification info"'),
            ("DELETE", "archived", [other, one], "2", '<div class="notification info"'),  # it was not: nothing is there twice
            ("PUT", "archived", [other], "1", ""),
            ("PUT", "read", [other], "1", ""),  # in the archive: on no screen
            ("DELETE", "archived", [one, other], "1", '<div class="notification info read"'),
        ]:
            if method is not None:
                await api.call(method, f"/notifications/{one}/{path}")
            for page, screen in screens.items():
                message = await page.next()
                screen.apply(message)
                assert (ids, count) == (screen.ids, badge(message)), (method, path)
                assert message["html"].startswith(changed)


async def test_all_are_read_at_once_on_all_tabs(server, api):
    async with server.socket("ada") as tab, server.socket("ada") as other_tab, server.socket("bob") as bob:
        archived, one, other = [await notify(api) for _ in range(3)]
        bobs = await notify(api, user_ids=["bob"])
        await bob.next()
        await api.put(f"/notifications/{archived}/archived")
        await api.put(f"/notifications/{one}/seen")
        answers = [(await api.post("/users/ada/notifications/read-all")).json() for _ in range(2)]
        assert [{"marked": marked, "unread_count": 0, "unseen_count": 0} for marked in (2, 0)] == answers
        await api.broadcast("marker")
        for page in (tab, other_tab):
            shown = Screen("#notifications")
            for _ in range(6):
                shown.apply(message := await page.next())
            assert ("innerHTML", "") == (message["swap"], badge(message))
            assert [other, one] == shown.ids
            assert 2 == message["html"].count('class="notification info read"')
            await page.hears_nothing_but("marker")  # that nothing was left to be read changes nothing
        await bob.hears_nothing_but("marker")
    assert ([bobs], 1, 1) == await inbox(api, user="bob")
    assert ([archived], 0, 0) == await inbox(api, "archived")


async def test_a_list_that_is_made_anew_has_the_newest_fifty(server, api):
    async with server.socket("ada") as page:
        ids = [await notify(api) for _ in range(52)]
        await api.post("/users/ada/notifications/read-all")
        shown = Screen("#notifications")
        while shown.swaps[-1:] != ["innerHTML"]:
            shown.apply(await page.next())
    assert ids[:1:-1] == shown.ids


# -- over the socket ---------------------------------------------------------------------------------------------------
async def test_a_user_reads_their_own_on_every_tab(server, api):
    async with server.socket("ada") as ada, server.socket("ada") as tab:
        one, other = await notify(api), await notify(api)
        answer = await ada.ask("mark-notification-read", {"notificationId": one})
        assert ("", "none") == (answer["target"], answer["swap"])
        assert ["1", "2"] == [badge(await tab.next()) for _ in range(2)]
        read = await tab.next()
        assert (f"#notification-{one}", "1") == (read["target"], badge(read))
        answer = await ada.ask("mark-all-read")
        assert ("", "none") == (answer["target"], answer["swap"])
        assert ("#notifications", "") == ((read := await tab.next())["target"], badge(read))
    assert ([other, one], 0, 0) == await inbox(api)


async def test_somebody_elses_is_as_one_that_is_missing(server, api):
    async with server.socket("bob") as bob, server.socket("ada") as ada, server.socket() as nobody:
        one = await notify(api)
        await ada.next()
        for missing in (one, MISSING):
            assert "There is no such notification" == await refusal(bob, "mark-notification-read", {"notificationId": missing})
            assert "not_found" == bob.errors[0]["code"]
        await bob.ask("mark-all-read")
        for handler in ("mark-notification-read", "mark-all-read"):
            assert "Please log in to read notifications" == await refusal(nobody, handler, {"notificationId": one})
        await refuses_wrong_data(ada, "mark-notification-read", {"notificationId": one})
        assert "notificationId is no id" in await refusal(ada, "mark-notification-read", {"notificationId": XSS})
        await api.broadcast("marker")
        await ada.hears_nothing_but("marker")
    assert ([one], 1, 1) == await inbox(api)


# -- what is refused ---------------------------------------------------------------------------------------------------
async def test_what_does_not_exist_has_no_state(api):
    for state in ("read", "seen", "archived"):
        for method in ("PUT", "DELETE"):
            for one in (MISSING, "x"):
                assert 404 == (await api.call(method, f"/notifications/{one}/{state}")).status_code


async def test_a_user_nobody_heard_of_has_an_empty_inbox(api):
    empty = {"unread_count": 0, "unseen_count": 0}
    assert {"items": [], "next_cursor": None, **empty} == (await api.get("/users/nobody/notifications")).json()
    assert {"marked": 0, **empty} == (await api.post("/users/nobody/notifications/read-all")).json()
    assert 404 == (await api.get("/users/nobody")).status_code


async def test_parameters_are_named_as_they_are_asked_for(api):
    wrong = await api.get("/users/ada/notifications?state=foo")
    long = await api.get(f"/users/{'x' * 129}/notifications")
    no_cursor = await api.get("/users/ada/notifications?cursor=~")
    answers = (wrong, long, no_cursor)
    assert ["?state", "{user_id}", "?cursor"] == [answer.json()["errors"][0]["pointer"] for answer in answers]
    assert "one of all, archived, unread, unseen is wanted" == wrong.json()["errors"][0]["detail"]
    assert "at most 128 characters may stand here" == long.json()["errors"][0]["detail"]


async def test_each_call_needs_its_scope(server, api):
    one = await notify(api)
    writes = [("POST", "/notifications", NEW), ("POST", "/users/ada/notifications/read-all", None)]
    for state in ("read", "seen", "archived"):
        writes += [("PUT", f"/notifications/{one}/{state}", None), ("DELETE", f"/notifications/{one}/{state}", None)]
    reads = [("GET", "/users/ada/notifications", None)]
    reader, writer = await api.key_with("notifications:read"), await api.key_with("notifications:write")
    for key, may, may_not in ((reader, reads, writes), (writer, writes, reads), (None, [], reads + writes)):
        async with ApiClient(server.url, key) as client:
            refused = [(await client.call(*call)).status_code for call in may_not]
            assert [401 if key is None else 403] * len(may_not) == refused
            assert all([(await client.call(*call)).is_success for call in may])
