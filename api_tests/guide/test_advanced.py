"""The WSX guide, section by section, each with its unhappy half: advanced broadcasting patterns."""

from collections.abc import Awaitable, Callable

from api_tests.client import ApiClient
from api_tests.guide.asking import ESCAPED, XSS, refusal
from api_tests.server import Running

Quiet = Callable[..., Awaitable[None]]


async def test_batch_broadcasting(server: Running, api: ApiClient, quiet: Quiet) -> None:
    async with server.socket("root", roles=("admin",)) as root, server.socket("ada") as ada, server.socket(v1=False) as plain:
        answer = await root.next_of("#dashboard-stats") and await root.ask("mass-update")
        while answer.get("type") == "batch":
            answer = await root.next()
        assert "<div>Mass update completed</div>" == answer["html"]
        for page in (ada, plain):
            told = await page.next()
            assert ("batch", [("#status", "<div>Mass update initiated</div>")]) == (
                told["type"],
                [(update["target"], update["html"]) for update in told["updates"]],
            )
        assert "Admin access required" == await refusal(ada, "mass-update")
        sent = await api.post(
            "/broadcasts/batch",
            {
                "updates": [
                    {"audience": {"kind": "everyone"}, "target": "#a", "html": "1"},
                    {"audience": {"kind": "users", "ids": ["ada"]}, "target": "#b", "html": "2"},
                    {"audience": {"kind": "everyone"}, "target": "#c", "html": "3"},
                ]
            },
        )
        assert (202, 3) == (sent.status_code, sent.json()["matched"])
        assert ["1", "2", "3"] == [update["html"] for update in (await ada.next())["updates"]]
        assert ["1", "3"] == [update["html"] for update in (await plain.next())["updates"]]
        await quiet(ada, plain)


async def test_event_driven_broadcasting(server: Running, api: ApiClient) -> None:
    async with server.socket("bob") as bob:
        for pair in ({"follower_id": "ada", "followee_id": "bob"}, {"follower_id": "bob", "followee_id": "ada"}):
            assert 201 == (await api.post("/follows", pair)).status_code
        async with server.socket("ada", name=XSS):
            told = await bob.next_of("#friend-activity")
            assert "afterbegin" == told["swap"]
            assert f"{ESCAPED} is now online" in told["html"]
            async with server.socket("ada", name=XSS):
                pass  # a second tab comes and goes: no news
        assert f"{ESCAPED} went offline" in (await bob.next_of("#friend-activity"))["html"]
        sent = await api.post("/maintenance", {"message": XSS, "scheduled_time": "2026-11-30T22:00:00Z"})
        assert (202, 1) == (sent.status_code, sent.json()["matched"])
        told = await bob.next()
        assert ("#system-notices", "afterbegin") == (told["target"], told["swap"])
        assert 'class="maintenance-notice"' in told["html"]
        assert f"<p>{ESCAPED}</p>" in told["html"]
        assert 422 == (await api.post("/maintenance", {"message": "x", "scheduled_time": "tomorrow"})).status_code


async def test_rate_limited_broadcasting(server: Running, api: ApiClient, quiet: Quiet) -> None:
    async with server.socket("ada", name=XSS) as ada, server.socket() as nobody:
        assert "<div>Update queued for broadcast</div>" == (await ada.ask("rate-limited-update"))["html"]
        told = await nobody.next()
        assert ("#live-feed", "afterbegin", f"<div>Update from {ESCAPED}</div>") == (told["target"], told["swap"], told["html"])
        assert "Please log in" in await refusal(nobody, "rate-limited-update")
        for number in range(3):
            await api.broadcast(str(number), "#feed", pace="queued")
        assert ["0", "1", "2"] == [(await nobody.next_of("#feed"))["html"] for _ in range(3)]
        assert (
            422
            == (
                await api.post("/broadcasts", {"audience": {"kind": "everyone"}, "target": "#a", "html": "", "pace": "slowly"})
            ).status_code
        )
        await quiet(nobody)
