"""Rooms while the journal is away: pages of this node come in and are put out, and the other nodes follow."""

import pytest

from api_tests.client import ApiClient
from api_tests.db.beside import rows
from api_tests.fakes import journal_away
from api_tests.features.talking import join
from api_tests.server import Running
from api_tests.waiting import MS, eventually
from app.features import unsent
from app.settings import Settings

NOTED = "SELECT what FROM unsent"


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not pushed is pushed again soon."""
    monkeypatch.setattr(unsent, "AGAIN_AFTER_S", 100 * MS)
    monkeypatch.setattr(unsent, "LOOK_EVERY_S", 10 * MS)
    monkeypatch.setattr(unsent, "RETRY_S", 20 * MS)
    monkeypatch.setattr(unsent, "FORGET_PAUSE_S", 10 * MS)


async def nothing_is_noted(settings: Settings) -> None:
    await eventually(lambda: not rows(settings, NOTED))


async def test_who_joins_is_in_and_those_here_are_told(server: Running, api: ApiClient):
    await api.post("/rooms", {"id": "lobby"})
    async with server.socket("ada") as ada, server.socket("bob", name="Bob") as bob:
        await join(ada, "lobby")
        with journal_away(server.hub):
            await join(bob, "lobby")
            assert "Bob" in (await ada.next())["html"]
        assert 2 == (await api.get("/rooms/lobby")).json()["connections"]


async def test_a_room_that_is_deleted_is_left_here_at_once_and_everywhere_later(soon: None, server: Running, api: ApiClient):
    await api.post("/rooms", {"id": "lobby"})
    async with server.socket("ada") as ada:
        await join(ada, "lobby")
        with journal_away(server.hub):
            assert 204 == (await api.delete("/rooms/lobby")).status_code
            closed = await ada.next()
            await api.post("/rooms", {"id": "lobby", "is_private": True})
            assert 0 == (await api.get("/rooms/lobby")).json()["connections"]
            await eventually(lambda: [("room.removed",)] == rows(server.settings, NOTED))
        server.hub.registry.join(next(iter(server.hub.registry)), "lobby")  # as on a node that was not told
        await nothing_is_noted(server.settings)
        await eventually(lambda: not server.hub.registry.in_room("lobby"))
        again = await ada.next()
        assert (closed["id"], closed["target"]) == (again["id"], again["target"])


async def test_who_is_put_out_is_out_here_at_once_and_everywhere_later(soon: None, server: Running, api: ApiClient):
    await api.post("/rooms", {"id": "lobby"})
    async with server.socket("ada") as ada:
        await join(ada, "lobby")
        with journal_away(server.hub):
            assert 204 == (await api.delete("/rooms/lobby/members/ada")).status_code
            assert not server.hub.registry.in_room("lobby")
        server.hub.registry.join(next(iter(server.hub.registry)), "lobby")  # as on a node that was not told
        await nothing_is_noted(server.settings)
        await eventually(lambda: not server.hub.registry.in_room("lobby"))


async def test_who_was_let_in_again_meanwhile_is_not_put_out(soon: None, server: Running, api: ApiClient):
    await api.post("/rooms", {"id": "lobby"})
    async with server.socket("ada") as ada:
        await join(ada, "lobby")
        with journal_away(server.hub):
            await api.delete("/rooms/lobby/members/ada")
            await api.put("/rooms/lobby/members/ada")
            await join(ada, "lobby")
        await nothing_is_noted(server.settings)
        assert server.hub.registry.in_room("lobby")
