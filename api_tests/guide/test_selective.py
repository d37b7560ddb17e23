"""The WSX guide, section by section, each with its unhappy half: selective broadcasting."""

from collections.abc import Awaitable, Callable

from api_tests.client import ApiClient
from api_tests.guide.asking import ESCAPED, XSS, refusal, refuses_wrong_types
from api_tests.server import Running
from app import wsx

Quiet = Callable[..., Awaitable[None]]


async def test_room_based_broadcasting(server: Running, api: ApiClient, quiet: Quiet) -> None:
    async with (
        server.socket("ada", name=XSS) as ada,
        server.socket("bob") as bob,
        server.socket("zoe") as zoe,
        server.socket() as nobody,
    ):
        await bob.ask("join-room", {"roomId": "lobby"})
        await zoe.ask("join-room", {"roomId": "kitchen"})
        answer = await ada.ask("join-room", {"roomId": "lobby"})
        assert "<div>Joined room lobby</div>" == answer["html"]
        assert ["#chat-messages"] == [part["target"] for part in answer["oob"]]
        told = await bob.next()
        assert ("#room-activity", "afterbegin") == (told["target"], told["swap"])
        assert f"{ESCAPED} joined the room" in told["html"]
        assert 1 == (await wsx.send_to_room("kitchen", "#kitchen", "<p>Cake!</p>")).matched
        assert "#kitchen" == (await zoe.next())["target"]
        assert "<div>Left room</div>" == (await ada.ask("leave-room", {}))["html"]
        assert f"{ESCAPED} left the room" in (await bob.next())["html"]
        assert "You are not in this room" == await refusal(ada, "leave-room", {})
        assert "Please log in to join rooms" == await refusal(nobody, "join-room", {"roomId": "lobby"})
        await api.post("/rooms", {"id": "board", "is_private": True})
        assert "This room cannot be joined" == await refusal(ada, "join-room", {"roomId": "board"})
        assert "roomId" in await refusal(ada, "join-room", {"roomId": ""})
        assert "roomId" in await refusal(ada, "join-room", {"roomId": "a/b"})
        assert "128 characters" in await refusal(ada, "join-room", {"roomId": "x" * 65_536})
        await refuses_wrong_types(ada, "join-room", {"roomId": "lobby"})
        await quiet(ada, bob, zoe, nobody)


async def test_permission_based_broadcasting(server: Running, quiet: Quiet) -> None:
    async with (
        server.socket("root", name=XSS, roles=("admin",)) as root,
        server.socket("root", roles=("admin",)) as tab,
        server.socket("ada", roles=("premium",)) as ada,
        server.socket("bob") as bob,
        server.socket() as nobody,
    ):
        for priority, users in (("high", 3), ("medium", 2), ("low", 1)):
            answer = await root.ask("admin-announcement", {"message": XSS, "priority": priority})
            assert f"<div>Announcement sent to {users} users</div>" == answer["html"]
        heard = {ada: ["high", "medium"], bob: ["high"], tab: ["high", "medium", "low"]}
        for page, priorities in heard.items():
            for priority in priorities:
                told = await page.next_of("#announcements")  # an admin's page has a dashboard, too
                assert ("#announcements", "afterbegin") == (told["target"], told["swap"])
                assert f'class="announcement priority-{priority}"' in told["html"]
                assert f"<small>From: {ESCAPED}</small>" in told["html"]
        for page in (ada, bob, nobody):
            assert "Admin access required" == await refusal(page, "admin-announcement", {"message": "x", "priority": "high"})
        assert "priority" in await refusal(root, "admin-announcement", {"message": "x", "priority": "urgent"})
        assert "message" in await refusal(root, "admin-announcement", {"message": "", "priority": "low"})
        assert "10000 characters" in await refusal(root, "admin-announcement", {"message": "x" * 65_536, "priority": "low"})
        await refuses_wrong_types(root, "admin-announcement", {"message": "x", "priority": "low"})
        await quiet(ada, bob, nobody)


async def test_geographic_broadcasting(server: Running, quiet: Quiet) -> None:
    berlin = {"latitude": 52.52, "longitude": 13.405, "name": XSS}
    event = {"eventData": {"title": XSS, "description": XSS}, "location": berlin}
    async with server.socket("ada") as ada, server.socket("ada") as tab, server.socket("bob") as bob, server.socket() as nobody:
        await ada.ask("set-location", {**berlin, "latitude": 52.6})
        await tab.ask("set-location", berlin)
        await bob.ask("set-location", {"latitude": 48.85, "longitude": 2.35})
        assert "<div>Event broadcast to 1 nearby users</div>" == (await bob.ask("local-event", event))["html"]
        for page in (ada, tab):
            told = await page.next()
            assert ("#local-events", "afterbegin") == (told["target"], told["swap"])
            assert f"<h4>{ESCAPED}</h4>" in told["html"]
            assert f'<span class="location">{ESCAPED}</span>' in told["html"]
        assert (
            "<div>Event broadcast to 0 nearby users</div>"
            == (await bob.ask("local-event", {**event, "location": {**berlin, "latitude": 0}}))["html"]
        )
        assert "Please log in" in await refusal(nobody, "local-event", event)
        assert "Please log in" in await refusal(nobody, "set-location", berlin)
        assert "latitude" in await refusal(ada, "set-location", {**berlin, "latitude": 90.1})
        assert "radiusKm" in await refusal(ada, "local-event", {**event, "radiusKm": -1})
        assert "eventData.title" in await refusal(ada, "local-event", {**event, "eventData": {"title": ""}})
        for field, data in (
            ("eventData.title", {**event, "eventData": {"title": "x" * 65_536}}),
            ("eventData.description", {**event, "eventData": {"title": "x", "description": "x" * 65_536}}),
            ("location.name", {**event, "location": {**berlin, "name": "x" * 65_536}}),
        ):
            assert f"{field} may have" in await refusal(ada, "local-event", data)
        await refuses_wrong_types(ada, "set-location", {"latitude": 1.5, "longitude": 1.5})
        await refuses_wrong_types(ada, "local-event", event)
        await quiet(ada, tab, bob, nobody)
