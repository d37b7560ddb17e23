"""The WSX guide, section by section, each with its unhappy half: basic broadcasting, and real-time applications."""

import asyncio
from collections.abc import Awaitable, Callable

from api_tests.client import ApiClient
from api_tests.guide.asking import ESCAPED, XSS, refusal, refuses_wrong_types
from api_tests.server import Running
from api_tests.waiting import SOON_S
from app import wsx

Quiet = Callable[..., Awaitable[None]]


async def test_broadcast_to_all_connections(server: Running, api: ApiClient, quiet: Quiet) -> None:
    async with server.socket() as nobody, server.socket("ada") as ada:
        assert 2 == (await api.broadcast("<div>Server maintenance in 5 minutes</div>", "#global-status"))["matched"]
        assert 2 == (await wsx.broadcast("#announcements", "<div>New announcement</div>", "afterbegin")).matched
        for page in (nobody, ada):
            first, second = await page.next(), await page.next()
            assert ("#global-status", "innerHTML") == (first["target"], first["swap"])
            assert ("#announcements", "afterbegin") == (second["target"], second["swap"])
        wrong = {"audience": {"kind": "everyone"}, "target": "#a", "html": "x", "swap": "explode"}
        assert 422 == (await api.post("/broadcasts", wrong)).status_code
        async with ApiClient(server.url, None) as stranger:
            assert 401 == (await stranger.post("/broadcasts", {**wrong, "swap": "innerHTML"})).status_code
        await quiet(nobody, ada)


async def test_send_to_specific_connection(server: Running, quiet: Quiet) -> None:
    async with (
        server.socket("ada", name="Ada") as ada,
        server.socket("bob") as bob,
        server.socket("bob") as tab,
        server.socket() as nobody,
    ):
        answer = await ada.ask("private-message", {"recipientId": "bob", "message": XSS})
        assert ("#answer", "<div>Message sent to user bob</div>") == (answer["target"], answer["html"])
        for page in (bob, tab):
            told = await page.next()
            assert ("#messages", "beforeend") == (told["target"], told["swap"])
            assert 'class="private-message"' in told["html"]
            assert ESCAPED in told["html"]
        assert "Please log in to send messages" == await refusal(nobody, "private-message", {"recipientId": "bob", "message": "x"})
        assert "There is no such user" == await refusal(ada, "private-message", {"recipientId": XSS, "message": "x"})
        assert "Please write something first" == await refusal(ada, "private-message", {"recipientId": "bob", "message": " "})
        assert "message must not be empty" in await refusal(ada, "private-message", {"recipientId": "bob", "message": ""})
        assert "10000 characters" in await refusal(ada, "private-message", {"recipientId": "bob", "message": "x" * 65_536})
        await refuses_wrong_types(ada, "private-message", {"recipientId": "bob", "message": "x"})
        await quiet(ada, bob, tab, nobody)


async def test_chat_system(server: Running, api: ApiClient, quiet: Quiet) -> None:
    async with (
        server.socket("ada", name=XSS) as ada,
        server.socket("bob") as bob,
        server.socket("zoe") as zoe,
        server.socket() as nobody,
    ):
        for page in (ada, bob):
            await page.ask("join-room", {"roomId": "lobby"})
        await ada.next_of("#room-activity")
        answer = await ada.ask("send-message", {"roomId": "lobby", "message": XSS}, target="#form")
        assert ("#message-input", "outerHTML") == (answer["target"], answer["swap"])
        assert "<input" in answer["html"]
        assert 'id="message-input"' in answer["html"]
        said = await bob.next()
        (stored,) = (await api.get("/rooms/lobby/messages")).json()["items"]
        assert ("#chat-messages", "beforeend") == (said["target"], said["swap"])
        assert f'<div class="message" data-message-id="{stored["id"]}">' in said["html"]
        assert f'<span class="user">{ESCAPED}</span>' in said["html"]
        assert f'<span class="content">{ESCAPED}</span>' in said["html"]
        assert '<span class="time">' in said["html"]
        assert (XSS, "ada") == (stored["message"], stored["sender_id"])
        assert "Please log in to send messages" == await refusal(nobody, "send-message", {"roomId": "lobby", "message": "x"})
        assert "You are not in this room" == await refusal(zoe, "send-message", {"roomId": "lobby", "message": "x"})
        assert "You are not in this room" == await refusal(ada, "send-message", {"roomId": "elsewhere", "message": "x"})
        assert "message must not be empty" in await refusal(ada, "send-message", {"roomId": "lobby", "message": ""})
        assert "10000 characters" in await refusal(ada, "send-message", {"roomId": "lobby", "message": "x" * 65_536})
        await refuses_wrong_types(ada, "send-message", {"message": "x", "roomId": "lobby"})
        assert 1 == len((await api.get("/rooms/lobby/messages")).json()["items"])
        await quiet(bob, zoe, nobody)


async def test_live_notifications(server: Running, api: ApiClient, quiet: Quiet) -> None:
    async with (
        server.socket("ada", name=XSS) as ada,
        server.socket("bob") as bob,
        server.socket("bob") as tab,
        server.socket() as nobody,
    ):
        sent = await api.post("/notifications", {"user_ids": ["bob"], "type": "warning", "title": XSS, "message": XSS})
        assert (201, 2) == (sent.status_code, sent.json()["queued"])
        answer = await ada.ask("follow-user", {"targetUserId": "bob"})
        assert "<div>Now following user</div>" == answer["html"]
        for page in (bob, tab):
            first, second = await page.next(), await page.next()
            assert ("#notifications", "afterbegin") == (first["target"], first["swap"])
            assert 'class="notification warning"' in first["html"]
            assert 2 == first["html"].count(ESCAPED)
            assert '<span class="title">New Follower</span>' in second["html"]
            assert f'<span class="message">{ESCAPED} started following you</span>' in second["html"]
            assert "2" == second["oob"][0]["html"]
        assert "Please log in" in await refusal(nobody, "follow-user", {"targetUserId": "bob"})
        assert "You cannot follow yourself" == await refusal(ada, "follow-user", {"targetUserId": "ada"})
        assert "There is no such user" == await refusal(ada, "follow-user", {"targetUserId": XSS})
        assert "128 characters" in await refusal(ada, "follow-user", {"targetUserId": "x" * 65_536})
        assert "must not be empty" in await refusal(ada, "follow-user", {"targetUserId": ""})
        for wrong in ({"title": ""}, {"title": "x" * 65_536}, {"message": "x" * 65_536}, {"type": XSS}, {"user_ids": []}):
            assert 422 == (await api.post("/notifications", {"user_ids": ["bob"], "title": "x", **wrong})).status_code, wrong
        await refuses_wrong_types(ada, "follow-user", {"targetUserId": "bob"})
        await quiet(bob, tab, nobody)


async def test_live_dashboard_updates(server: Running, api: ApiClient, quiet: Quiet) -> None:
    async with server.socket("ada") as ada, server.socket("root", roles=("admin",)) as root:
        assert 200 == (await api.put("/dashboard/figures", {"revenue": 1234.5, "orders": 7})).status_code
        async with asyncio.timeout(SOON_S):
            while "$1234.50" not in (told := await root.next_of("#dashboard-stats"))["html"]:
                pass
        assert "innerHTML" == told["swap"]
        assert 'class="dashboard-stats"' in told["html"]
        for label, value in (("Active Users", "2"), ("Revenue", "$1234.50"), ("Orders", "7")):
            at = told["html"].index(f'<span class="label">{label}</span>')
            assert f'<span class="value">{value}</span>' in told["html"][at : at + 120]
        assert "#dashboard-stats" == (await root.next())["target"]  # it ticks
        assert 422 == (await api.put("/dashboard/figures", {"revenue": "much"})).status_code
        await quiet(ada)
