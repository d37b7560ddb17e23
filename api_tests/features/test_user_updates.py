"""An update of their own for each user: from the back office, or each connected user's own line."""

import pytest

from api_tests.client import ApiClient
from api_tests.features.statements import counted_statements
from api_tests.features.written import written_down
from api_tests.hub.recording import tab
from api_tests.waiting import eventually
from app.features.users.service import LINES_AT_ONCE

XSS = "<img src=x onerror=alert(1)>"
ESCAPED = "&lt;img src=x onerror=alert(1)&gt;"
LINES = "#user-updates"
ATTEMPTS = 5


async def test_each_user_gets_their_own_update_on_all_tabs(api, server):
    async with server.socket("ada") as tab_1, server.socket("ada") as tab_2, server.socket("bob") as bob:
        updates = [
            {"user_id": "ada", "target": "#balance", "html": "<b>1</b>"},
            {"user_id": "bob", "target": "#balance", "html": "<b>2</b>", "swap": "beforeend"},
            {"user_id": "zoe", "target": "#balance", "html": "<b>3</b>"},
        ]
        sent = await api.post("/users/updates", {"updates": updates})
        assert (202, 3, 3, 2) == (sent.status_code, *(sent.json()[name] for name in ("matched", "queued", "users")))
        for page, html, swap in (
            (tab_1, "<b>1</b>", "innerHTML"),
            (tab_2, "<b>1</b>", "innerHTML"),
            (bob, "<b>2</b>", "beforeend"),
        ):
            told = await page.next()
            assert (sent.json()["id"], "#balance", html, swap) == tuple(told[name] for name in ("id", "target", "html", "swap"))
        remembered = (await api.get(f"/broadcasts/{sent.json()['id']}")).json()
        assert {**remembered, "users": 2} == {**sent.json(), "incomplete": []}


async def test_several_updates_of_one_user_are_one_message_in_their_order(api, server):
    async with server.socket("ada") as page:
        updates = [{"user_id": "ada", "target": f"#place-{number}", "html": str(number)} for number in range(3)]
        assert 1 == (await api.post("/users/updates", {"updates": updates})).json()["users"]
        assert ["0", "1", "2"] == [update["html"] for update in (await page.next())["updates"]]


async def test_a_thousand_updates_at_once_and_no_more(api):
    update = {"target": "#a", "html": ""}
    updates = [{"user_id": f"user-{number}", **update} for number in range(1_001)]
    assert 202 == (await api.post("/users/updates", {"updates": updates[:1_000]})).status_code
    refused = await api.post("/users/updates", {"updates": updates})
    assert (422, "/updates") == (refused.status_code, refused.json()["errors"][0]["pointer"])


async def test_html_of_a_key_that_may_not_send_it_raw_is_cleaned(api, server):
    update = {"user_id": "ada", "target": "#a", "html": f"<b>x</b>{XSS}", "oob": [{"target": "#b", "html": XSS}]}
    async with ApiClient(server.url, await api.key_with("users:write")) as careful, server.socket("ada") as page:
        await careful.post("/users/updates", {"updates": [update]})
        told = await page.next()
        assert '<b>x</b><img src="x">' == told["html"]
        assert "onerror" not in told["oob"][0]["html"]


@pytest.mark.parametrize(
    ("updates", "pointer"),
    [
        ([], "/updates"),
        ("all", "/updates"),
        ([{"target": "#a", "html": ""}], "/updates/0/user_id"),
        ([{"user_id": "", "target": "#a", "html": ""}], "/updates/0/user_id"),
        ([{"user_id": "ada", "target": "#a"}], "/updates/0/html"),
        ([{"user_id": "ada", "target": "#a", "html": "", "swap": "sideways"}], "/updates/0/swap"),
        ([{"user_id": "ada", "target": "#a", "html": "", "audience": {"kind": "everyone"}}], "/updates/0/audience"),
    ],
)
async def test_wrong_updates_are_refused_and_none_is_sent(api, server, updates, pointer):
    good = {"user_id": "ada", "target": "#a", "html": "x"}
    body = {"updates": [*updates, good] if updates and isinstance(updates, list) else updates}
    async with server.socket("ada") as page:
        refused = await api.post("/users/updates", body)
        assert (422, pointer) == (refused.status_code, refused.json()["errors"][0]["pointer"])
        await api.broadcast("marker")
        await page.hears_nothing_but("marker")


# -- everybody's own line ------------------------------------------------------------------------------------------------
async def test_an_admin_sends_every_connected_user_their_own_line(api, server, settings):
    async with (
        server.socket("root", name="Root", roles=("admin",)) as admin,
        server.socket("ada", name="Ada") as tab_1,
        server.socket("ada", name="Ada") as tab_2,
        server.socket("bob", name=XSS) as bob,
        server.socket() as stranger,
    ):
        await written_down(settings, 3)
        for user_id, status in (("ada", "on the road"), ("bob", XSS)):
            await api.call("PATCH", f"/users/{user_id}", {"status": status})
        assert "<div>Broadcast sent to 3 users</div>" == (await admin.ask("broadcast-user-updates"))["html"]
        for page in (tab_1, tab_2):
            told = await page.next()
            assert (LINES, "afterbegin") == (told["target"], told["swap"])
            assert '<div class="user-update">Ada - on the road</div>' == told["html"]
        assert f'<div class="user-update">{ESCAPED} - {ESCAPED}</div>' == (await bob.next_of(LINES))["html"]
        await api.broadcast("marker")
        await stranger.hears_nothing_but("marker")


async def test_an_admin_hears_their_own_line_too_and_without_a_status_it_says_online(server):
    async with server.socket("root", name="Root", roles=("admin",)) as admin:
        await admin.say({"id": "req_1", "handler": "broadcast-user-updates", "target": "#answer"})
        assert '<div class="user-update">Root - online</div>' == (await admin.next_of(LINES))["html"]
        assert "<div>Broadcast sent to 1 users</div>" == (await admin.next_of("#answer"))["html"]


@pytest.mark.parametrize("who", [None, "ada"])
async def test_only_admins_send_everybody_a_line(api, server, who):
    async with server.socket("bob") as bob, server.socket(who, roles=("premium",)) as page:
        answer = await page.ask("broadcast-user-updates")
        assert '<div class="error">Admin access required</div>' == answer["html"]
        assert ["not_admin"] == [error["code"] for error in page.errors]
        await api.broadcast("marker")
        await bob.hears_nothing_but("marker")


async def test_the_back_office_sends_everybody_a_line_by_saying_that_there_are_no_updates(api, server):
    async with server.socket("ada", name="Ada") as page, server.socket("ada", name="Ada"), server.socket():
        assert "/updates" == (await api.post("/users/updates", {})).json()["errors"][0]["pointer"]  # it must be written to be had
        sent = await api.post("/users/updates", {"updates": None})
        assert (202, 2, 2, 1) == (sent.status_code, *(sent.json()[name] for name in ("matched", "queued", "users")))
        assert '<div class="user-update">Ada - online</div>' == (await page.next())["html"]


async def test_where_nobody_is_connected_nobody_gets_a_line(api):
    sent = (await api.post("/users/updates", {"updates": None})).json()
    assert [0, 0, 0] == [sent[name] for name in ("matched", "queued", "users")]


async def test_the_number_of_statements_does_not_depend_on_the_number_of_users(api, server, settings):
    counts = []
    pages = []
    for count in (3, 300):
        pages += [tab(server.hub, f"user-{number}") for number in range(len(pages), count)]
        await written_down(settings, count)
        await api.call("PATCH", "/users/user-2", {"status": "busy"})
        attempts = []
        for _ in range(ATTEMPTS):  # what is done for those who have just come may fall into one of them, and only adds
            with counted_statements() as seen:
                sent = (await api.post("/users/updates", {"updates": None})).json()
            assert [count, count, count] == [sent[name] for name in ("matched", "queued", "users")]
            attempts.append(len(seen))
        counts.append(min(attempts))
    assert [1, 1] == counts
    await eventually(lambda: [2 * ATTEMPTS] * 3 + [ATTEMPTS] * 297 == [len(page.heard) for page in pages])
    assert 300 > LINES_AT_ONCE
    assert '<div class="user-update">User-299 - online</div>' == pages[299].heard[-1]
    assert '<div class="user-update">User-2 - busy</div>' == pages[2].heard[-1]
