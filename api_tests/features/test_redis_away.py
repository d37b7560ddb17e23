"""A server whose journal is in Redis, while that is there, away, and back with nothing."""

import msgspec

from api_tests.client import ApiClient
from api_tests.journals import redis_node
from api_tests.redis_server import RedisServer
from api_tests.server import ADMIN_KEY, run_server
from api_tests.waiting import eventually
from app.settings import Settings


async def test_a_broadcast_is_refused_while_redis_is_away_and_pages_are_told_when_it_is_back_empty(
    settings: Settings, redis: RedisServer
):
    settings = msgspec.structs.replace(settings, redis_url=redis.url)
    async with (
        redis_node(redis) as other,
        run_server(settings) as server,
        ApiClient(server.url, ADMIN_KEY) as api,
        server.socket("ada") as ada,
    ):
        await api.broadcast("<b>one</b>")
        heard = await ada.next()
        assert "<b>one</b>" == heard["html"]
        await eventually(lambda: [entry.cursor for entry in other.heard] == [heard["cursor"]])
        assert heard["cursor"] == (await api.get("/cursor")).json()["cursor"]

        await redis.stop()
        body = {"audience": {"kind": "everyone"}, "target": "#a", "html": "lost"}
        refused = await api.post("/broadcasts", body)
        assert (503, True) == (refused.status_code, "Retry-After" in refused.headers)
        await eventually(lambda: server.hub.journal.health().state == "away")
        ready = await api.http.get("/health/ready")
        assert (200, "degraded", "away") == (ready.status_code, ready.json()["status"], ready.json()["parts"]["journal"])

        redis.empty()
        await redis.start()
        gap = await ada.next()
        assert ("gap", []) == (gap["type"], gap["targets"])
        assert heard["cursor"] < gap["cursor"]
        await server.hub.journal.until_reached()
        await api.broadcast("two")
        assert "two" == (await ada.next_of("#status"))["html"]  # the board of announcements is shown anew, too
