"""Users are written down behind their connects, each once, and at the end."""

import pytest

from api_tests.db.beside import rows
from api_tests.db.recorders import USERS, services
from api_tests.hub.recording import make_hub, tab
from api_tests.server import run_server
from api_tests.waiting import eventually
from app.features import gathering
from app.features.users import recorder
from app.features.users.recorder import running
from app.kernel.identity import User

pytestmark = pytest.mark.usefixtures("hasty_recorder")


async def test_who_connects_is_written_down_as_the_newest_token_says(server, settings):
    async with server.socket("ada", name="Ada", roles=("premium", "admin")), server.socket("ada"), server.socket():
        await eventually(lambda: [("ada", "ada", "[]", 1)] == rows(settings, USERS))
    async with server.socket("ada", name="Ada L.", roles=("premium", "admin")):
        await eventually(lambda: [("ada", "Ada L.", '["admin", "premium"]', 1)] == rows(settings, USERS))


async def test_half_a_character_in_a_name_stops_nobody_else_from_being_written_down(server, settings):
    async with server.socket("ada", name="Ada \ud83d"):
        await eventually(lambda: [("ada", "Ada ?", "[]", 1)] == rows(settings, USERS))
        async with server.socket("bob"):
            await eventually(lambda: 2 == len(rows(settings, USERS)))


async def test_a_user_whom_the_back_office_named_first_is_not_doubled(api, server, settings):
    await api.post("/notifications", {"user_ids": ["ada"], "title": "x"})
    assert [("ada", "ada", "[]", 0)] == rows(settings, USERS)
    async with server.socket("ada", name="Ada"):
        await eventually(lambda: [("ada", "Ada", "[]", 1)] == rows(settings, USERS))


async def test_those_of_the_last_moment_are_written_down_at_the_end(settings, monkeypatch):
    monkeypatch.setattr(recorder, "PAUSE_S", 3600)
    async with run_server(settings) as server, server.socket("ada"):
        assert [] == rows(settings, USERS)
    assert [("ada", "ada", "[]", 1)] == rows(settings, USERS)


async def test_who_says_who_it_is_on_an_open_connection_is_written_down_too(database, settings):
    hub = make_hub()
    async with running(services(settings, database, hub)):
        page = tab(hub)
        hub.sign_in(page.connection, User("ada", "Ada"))
    assert [("ada", "Ada", "[]", 1)] == rows(settings, USERS)


async def test_a_thousand_and_more_are_written_down_at_the_end(database, settings, monkeypatch):
    monkeypatch.setattr(recorder, "PAUSE_S", 3600)
    hub = make_hub()
    async with running(services(settings, database, hub)):
        for number in range(gathering.MAX_BATCH + 1):
            tab(hub, f"user-{number}")
    assert [(gathering.MAX_BATCH + 1,)] == rows(settings, "SELECT count(*) FROM users")
