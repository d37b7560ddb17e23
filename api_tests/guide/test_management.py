"""The WSX guide, section by section, each with its unhappy half: connection management, and performance considerations."""

from collections.abc import Awaitable, Callable

import msgspec

from api_tests.client import ApiClient
from api_tests.guide.asking import ESCAPED, XSS, refusal
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.waiting import eventually
from app import wsx
from app.settings import Settings

Quiet = Callable[..., Awaitable[None]]


async def test_connection_tracking(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as tab, server.socket("ada") as other_tab, server.socket("bob"):
        await tab.ask("join-room", {"roomId": "lobby"})
        found = (await api.get("/connections?user_id=ada")).json()["items"]
        assert [tab.id, other_tab.id] == [one["id"] for one in found]
        assert [["lobby"], []] == [one["rooms"] for one in found]
        in_room = (await api.get("/connections?room_id=lobby")).json()["items"]
        assert [tab.id] == [one["id"] for one in in_room]
        assert 2 == (await wsx.send_to_user("ada", "#cart", "<p>1</p>")).matched
        assert [] == (await api.get("/connections?user_id=nobody")).json()["items"]
    await eventually(lambda: not wsx.connection_count())
    assert {"connections": 0, "signed_in": 0, "users": 0, "incomplete": []} == (await api.get("/connections/count")).json()


async def test_efficient_broadcasting(server: Running, api: ApiClient, quiet: Quiet) -> None:
    async with server.socket("root", roles=("admin",)) as root, server.socket("ada", name=XSS) as ada, server.socket("bob") as bob:
        for user_id, name in (("ada", XSS), ("bob", "Bob"), ("zoe", "Zoe")):
            assert (await api.put(f"/users/{user_id}", {"name": name, "status": XSS})).status_code in {200, 201}
        answer = await root.ask("broadcast-user-updates")
        assert "<div>Broadcast sent to 3 users</div>" == answer["html"]
        told = await ada.next()
        assert ("#user-updates", "afterbegin") == (told["target"], told["swap"])
        assert f'<div class="user-update">{ESCAPED} - {ESCAPED}</div>' == told["html"]
        await bob.next_of("#user-updates")
        assert "Admin access required" == await refusal(ada, "broadcast-user-updates")
        updates = [{"user_id": user_id, "target": "#mine", "html": user_id} for user_id in ("ada", "bob", "zoe")]
        sent = await api.post("/users/updates", {"updates": updates})
        assert (202, 2) == (sent.status_code, sent.json()["matched"])
        assert ["ada", "bob"] == [(await page.next_of("#mine"))["html"] for page in (ada, bob)]
        await quiet(ada, bob)


async def test_memory_management(settings: Settings) -> None:
    impatient = msgspec.structs.replace(settings, idle_timeout_s=600, idle_sweep_s=0.05, ping_interval_s=0.05)
    async with (
        run_server(impatient) as server,
        ApiClient(server.url, ADMIN_KEY),
        server.socket("ada") as ada,
        server.socket() as idle,
    ):
        server.silent_for(500)
        await wsx.broadcast("#status", "what it is sent is no activity")
        for page in (ada, idle):
            await page.hears_nothing_but("no activity")
        await ada.say({"type": "active"})
        await eventually(lambda: min(there.idle_s for there in server.hub.registry) < 500)
        server.silent_for(100)
        assert (4408, "idle") == await idle.closed()
        assert 1 == wsx.connection_count()
