"""Every example in Python of four pages of the docs is run as a site would run it: imported, served, asked by pages."""

from datetime import UTC, datetime

from api_tests.client import SocketClient
from api_tests.guide.conftest import EXAMPLES, Site
from api_tests.server import SECRET, run_server
from api_tests.waiting import eventually
from app.hub.events import Maintenance
from app.settings import Settings

XSS = "<img src=x onerror=alert(1)>"
ESCAPED = "&lt;img src=x onerror=alert(1)&gt;"


def test_no_example_is_left_out() -> None:
    tests = {name.removeprefix("test_").replace("_", " ") for name in globals() if name.startswith("test_")}
    assert {title.lower().replace("-", " ") for title in EXAMPLES} <= tests


async def test_on_your_own_page(site: Site) -> None:
    async with site("On your own page") as (server, _), server.socket("ada", name=XSS) as ada, server.socket() as nobody:
        assert ["1", "2"] == [(await ada.ask("like", {"post": 7}, target="#likes"))["html"] for _ in range(2)]
        assert ("#global-status", f"<p>{ESCAPED} likes post 7</p>") == ((told := await nobody.next())["target"], told["html"])


async def test_answering_pages(site: Site) -> None:
    async with site("Answering pages") as (server, _), server.socket() as nobody:
        assert f"<li>Nothing found for <b>{ESCAPED}</b></li>" == (await nobody.ask("search", {"q": XSS}))["html"]
        assert "none" == (await nobody.ask("no such handler"))["swap"]


async def test_who_comes_and_goes(site: Site) -> None:
    async with site("Who comes and goes") as (server, example), server.socket() as nobody:
        assert "<p>Hello, stranger</p>" == (await nobody.next_of("#hello"))["html"]
        async with server.socket("ada", name=XSS) as ada:
            assert f"<p>Hello, {ESCAPED}</p>" == (await ada.next_of("#hello"))["html"]
            assert [ada.id] == example.tabs_of("ada")
        assert f"<p>{ESCAPED} has left us, 1 are here</p>" == (await nobody.next_of("#last-seen"))["html"]


async def test_your_users(settings: Settings) -> None:
    site = {"WSX_TOKEN_SECRET": SECRET}
    exec(compile(EXAMPLES["Your users"], "security.md", "exec"), site)  # noqa: S102 - the documentation's own code
    async with run_server(settings) as server, SocketClient(f"ws://127.0.0.1:{server.port}", token=site["token"]):
        (connection,) = server.hub.registry
        assert ("ada", "Ada", {"premium"}) == (connection.user.id, connection.user.name, set(connection.user.roles))


async def test_broadcast_to_all_connections(site: Site) -> None:
    async with site("Broadcast to all connections") as (server, example), server.socket() as one, server.socket("ada") as other:
        example.warn()
        for page in (one, other):
            first, second = await page.next(), await page.next()
            assert ("#global-status", "innerHTML") == (first["target"], first["swap"])
            assert ("#announcements", "afterbegin") == (second["target"], second["swap"])


async def test_send_to_a_specific_connection(site: Site) -> None:
    async with (
        site("Send to a specific connection") as (server, _),
        server.socket("ada") as ada,
        server.socket("bob", name=XSS) as bob,
    ):
        answer = await ada.ask("whisper", {"connectionId": bob.id, "message": XSS})
        assert f"<div>Message sent to {ESCAPED}</div>" == answer["html"]
        assert f'<div class="private-message">{ESCAPED}</div>' == (await bob.next())["html"]
        assert '<div class="error">Nobody is there any more</div>' == (await ada.ask("whisper", {"connectionId": "gone"}))["html"]


async def test_chat_system(site: Site) -> None:
    async with (
        site("Chat system") as (server, _),
        server.socket("ada", name=XSS) as ada,
        server.socket("zoe") as zoe,
        server.socket("bob") as bob,
        server.socket() as nobody,
    ):
        for page in (ada, zoe):
            await page.ask("join-room", {"roomId": "lobby"})
        answer = await ada.ask("say", {"roomId": "lobby", "message": XSS})
        assert ("#message-input", "outerHTML") == (answer["target"], answer["swap"])
        said = await zoe.next()
        assert ("#chat-messages", "beforeend") == (said["target"], said["swap"])
        for part in ("user", "content"):
            assert f'<span class="{part}">{ESCAPED}</span>' in said["html"]
        refused = await bob.ask("say", {"roomId": "lobby", "message": "x"})
        assert '<div class="error">You are not in this room</div>' == refused["html"]
        assert '<div class="error">Please log in to send messages</div>' == (await nobody.ask("say"))["html"]


async def test_live_notifications(site: Site) -> None:
    async with site("Live notifications") as (server, example), server.socket("ada") as tab, server.socket("ada") as other_tab:
        example.send_notification("ada", "info", XSS, "You have mail")
        for page in (tab, other_tab):
            told = await page.next()
            assert ("#notifications", "afterbegin") == (told["target"], told["swap"])
            assert ESCAPED in told["html"]


async def test_live_dashboard_updates(site: Site) -> None:
    async with site("Live dashboard updates") as (server, example), server.socket("ada") as ada:
        example.EVERY_S = 0.02
        async with server.socket("root", roles=("admin",)) as root:
            told = [await root.next_of("#dashboard-stats") for _ in range(3)]
            assert any('<span class="value">2</span>' in one["html"] for one in told)
        await eventually(example.ticking[-1].done)
        example.wsx.broadcast("#end", "the end")
        await ada.hears_nothing_but("the end")


async def test_room_based_broadcasting(site: Site) -> None:
    async with (
        site("Room-based broadcasting") as (server, example),
        server.socket("ada", name=XSS) as ada,
        server.socket("bob", roles=("premium",)) as bob,
        server.socket() as nobody,
    ):
        await bob.ask("enter", {"roomId": "lobby"})
        await ada.ask("enter", {"roomId": "lobby"})
        assert f"<div>{ESCAPED} joined the room</div>" == (await bob.next())["html"]
        assert 1 == example.premium_in("lobby")
        assert "Please log in" in (await nobody.ask("enter", {"roomId": "lobby"}))["html"]
        await ada.ask("exit")
        assert f"<div>{ESCAPED} left the room</div>" == (await bob.next())["html"]


async def test_permission_based_broadcasting(site: Site) -> None:
    async with (
        site("Permission-based broadcasting") as (server, _),
        server.socket("root", roles=("admin",)) as root,
        server.socket("ada", roles=("premium",)) as ada,
        server.socket("bob") as bob,
    ):
        for priority, hears in (("high", 3), ("medium", 2), ("low", 1)):
            answer = await root.ask("announce", {"priority": priority, "message": XSS})
            assert f"<div>Announcement sent to {hears} pages</div>" == answer["html"]
        assert ESCAPED in (await bob.next())["html"]
        assert "Admin access required" in (await ada.ask("announce", {"priority": "high"}))["html"]
        assert "high, medium or low" in (await root.ask("announce", {"priority": "urgent"}))["html"]


async def test_geographic_broadcasting(site: Site) -> None:
    async with (
        site("Geographic broadcasting") as (server, example),
        server.socket("ada") as ada,
        server.socket("zoe") as zoe,
        server.socket("bob") as bob,
    ):
        assert "Where are you?" in (await ada.ask("fire"))["html"]
        assert "no place on the globe" in (await ada.ask("here-i-am", {"latitude": 91, "longitude": 0}))["html"]
        assert "no place on the globe" in (await ada.ask("here-i-am", {"latitude": "x"}))["html"]
        await ada.ask("here-i-am", {"latitude": 52.52, "longitude": "13.405"})
        await bob.ask("here-i-am", {"latitude": 48.85, "longitude": 2.35})
        await zoe.ask("here-i-am", {"latitude": 52.5, "longitude": 13.4})
        assert "<div>2 pages know</div>" == (await ada.ask("fire"))["html"]
        assert ("#local-events", "afterbegin") == ((told := await zoe.next())["target"], told["swap"])
        example.wsx.broadcast("#end", "the end")
        await bob.hears_nothing_but("the end")


async def test_batch_broadcasting(site: Site) -> None:
    async with (
        site("Batch broadcasting") as (server, _),
        server.socket("root", roles=("admin",)) as root,
        server.socket("ada") as ada,
        server.socket() as nobody,
    ):
        assert "<div>Mass update completed</div>" == (await nobody.ask("refresh-all"))["html"]
        for page, targets in ((root, ["#status", "#admin-panel"]), (ada, ["#status"])):
            batch = await page.next()
            assert ("batch", targets) == (batch["type"], [update["target"] for update in batch["updates"]])


async def test_event_driven_broadcasting(site: Site) -> None:
    async with site("Event-driven broadcasting") as (server, example), server.socket("bob") as bob:
        await bob.ask("follow-user", {"targetUserId": "bob"})
        async with server.socket("ada", name=XSS) as ada:
            await bob.ask("follow-user", {"targetUserId": "ada"})
            await ada.ask("follow-user", {"targetUserId": "bob"})
        await eventually(lambda: not server.hub.presence.is_online("ada"))
        async with server.socket("ada", name=XSS):
            assert f"<div>{ESCAPED} is now online</div>" == (await bob.next_of("#friends"))["html"]
        example.wsx.events.emit("system.maintenance", Maintenance("Back at noon", datetime(2026, 11, 24, 11, 30, tzinfo=UTC)))
        assert "<p>11:30: Back at noon</p>" == (await bob.next_of("#log"))["html"]
        example.paid("bob", XSS)
        assert f"<p>Thank you for {ESCAPED}</p>" == (await bob.next_of("#cart"))["html"]


async def test_rate_limited_broadcasting(site: Site) -> None:
    async with (
        site("Rate-limited broadcasting") as (server, example),
        server.socket("ada", name=XSS) as ada,
        server.socket() as nobody,
    ):
        assert "<div>Update queued for broadcast</div>" == (await ada.ask("post"))["html"]
        assert f"<div>Update from {ESCAPED}</div>" == (await ada.next_of("#live-feed"))["html"]
        await eventually(lambda: example.feed.counts().sent == 1)
        example.wsx.broadcast("#end", "the end")
        await nobody.hears_nothing_but("the end")


async def test_connection_tracking(site: Site) -> None:
    async with site("Connection tracking") as (server, example):
        async with server.socket("ada") as tab, server.socket("ada") as other_tab:
            assert {tab.id, other_tab.id} == set(example.tabs_of("ada")) == set(example.came)
            await example.cart_changed("ada")
            assert ["#cart", "#cart"] == [(await page.next())["target"] for page in (tab, other_tab)]
        await eventually(lambda: len(example.left) == 2)
        assert [] == example.tabs_of("ada")


async def test_efficient_broadcasting(site: Site) -> None:
    async with site("Efficient broadcasting") as (server, example), server.socket("ada") as ada, server.socket("bob") as bob:
        assert 2 == await example.tell_each({"ada": "at work", "bob": XSS, "zoe": "away"})
        assert "at work" in (await ada.next())["updates"][0]["html"]
        assert ESCAPED in (await bob.next())["updates"][0]["html"]


async def test_memory_management(site: Site) -> None:
    async with site("Memory management") as (server, example), server.socket("ada") as ada:
        assert 0 == example.close_idle(60)
        assert 1 == example.close_idle(0)
        assert (4409, "closed by the back office") == await ada.closed()
