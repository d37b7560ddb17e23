"""Servers in a cluster: what they say of it, and who does what is done once."""

from datetime import timedelta

import msgspec

from api_tests.client import ApiClient
from api_tests.cluster.nodes import Cluster
from api_tests.cluster.services import NEWS
from api_tests.hub.recording import make_hub, tab
from api_tests.redis_server import RedisServer
from api_tests.server import ADMIN_KEY, run_server
from api_tests.waiting import MS, eventually
from app.cluster import clerk
from app.db.session import Database
from app.features.announcements import service
from app.features.announcements.model import new
from app.features.announcements.service import Schedule
from app.features.services import Services
from app.hub.lease import Owner, OwnLease
from app.kernel.clock import utc_now
from app.settings import Settings


async def test_a_server_counts_pages_on_other_nodes_and_says_whether_it_knows_them(
    settings: Settings, redis: RedisServer, monkeypatch
):
    monkeypatch.setattr(clerk, "BEAT_S", 50 * MS)
    monkeypatch.setattr("app.cluster.client.ANSWER_S", 100 * MS)
    cluster = Cluster(redis.url, 3_600.0)
    async with (
        run_server(msgspec.structs.replace(settings, redis_url=redis.url)) as server,
        cluster.node("b") as b,
        ApiClient(server.url, ADMIN_KEY) as api,
        server.socket("ada"),
    ):
        page = b.tab("ada")
        b.tab("bob")
        await eventually(lambda: server.hub.roster.elsewhere({"ada", "bob"}) == {"ada", "bob"})
        assert 2 == (await api.get("/users/ada/presence")).json()["connections"]
        assert ["bob", True, 1] == list((await api.get("/users/bob/presence")).json().values())[:3]
        b.close(page)
        await eventually(lambda: server.hub.roster.connections_elsewhere("ada") == 0)
        assert (True, 1) == tuple((await api.get("/users/ada/presence")).json().values())[1:3]
        await eventually(lambda: len(server.hub.roster.nodes) == 2)
        numbers = (await api.http.get("/metrics")).text
        for line in ("wsx_nodes 2.0", "wsx_users_elsewhere 1.0", "wsx_roster_stale 0.0", "wsx_lease_held "):
            assert line in numbers
        ready = await api.http.get("/health/ready")
        assert (200, "ok", "ok") == (ready.status_code, ready.json()["status"], ready.json()["parts"]["roster"])
        monkeypatch.setattr(clerk, "DEAD_AFTER_S", 300 * MS)
        redis.pause()
        await eventually(lambda: server.hub.roster.is_stale)
        ready = await api.http.get("/health/ready")
        assert (200, "degraded", "stale") == (ready.status_code, ready.json()["status"], ready.json()["parts"]["roster"])
        redis.resume()
        await eventually(lambda: not server.hub.roster.is_stale)


async def test_announcements_wait_for_the_node_that_has_the_lease_and_are_shown_when_it_is_here(clock, settings: Settings):
    lease = OwnLease()
    lease.owner = Owner.ELSEWHERE
    services = Services(settings, Database(settings.database_url), make_hub(), None, lease=lease)
    page = tab(services.hub, "ada")
    now, board = utc_now(), services.of(service.Board)
    async with board.running(), services.of(Schedule).running():
        await service.announce(services, new(message="later", publish_at=now + timedelta(seconds=60), **NEWS))
        short = await service.announce(services, new(message="short", expires_at=now + timedelta(seconds=30), **NEWS))
        clock.skip(60)
        await eventually(lambda: len(page.sink.messages) == 2)  # what is over leaves its screens, whose ever the lease is
        assert ("delete", False) == (page.sink.messages[1]["swap"], short.row.id in board._posted)
        lease.owner = Owner.HERE
        lease.on_change.fire()
        await eventually(lambda: len(page.sink.messages) == 3)
    assert "later" in page.sink.messages[2]["html"]
    await services.database.close()
