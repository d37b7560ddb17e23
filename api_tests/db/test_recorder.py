"""Users are written down behind their connects, each once, whatever happens to the database meanwhile."""

import shutil
import threading

import pytest

from api_tests.db.beside import rows
from api_tests.hub.recording import make_hub, tab
from api_tests.server import run_server
from api_tests.waiting import eventually
from app.db.session import Database
from app.features import gathering
from app.features.services import Services
from app.features.users import recorder
from app.features.users.recorder import running
from app.kernel.identity import User
from app.main import make_tokens
from app.settings import Settings

USERS = "SELECT id, name, roles, last_connected_at IS NOT NULL FROM users ORDER BY id"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(recorder, "PAUSE_S", 0.01)
    monkeypatch.setattr(gathering, "RETRY_S", 0.01)


def no_driver_thread():
    """The thread of a connect that failed speaks to the loop once more: the loop must not end before."""
    return not [thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name]


def services(settings, database, hub):
    return Services(settings, database, hub, make_tokens(settings))


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


async def test_users_wait_while_the_database_is_away(settings, tmp_path, migrated, logged):
    folder = tmp_path / "away"
    database = Database(f"sqlite+aiosqlite:///{folder}/wsx.db")
    hub = make_hub()
    async with running(services(settings, database, hub)):
        tab(hub, "ada")
        seen = []
        await eventually(lambda: seen.append(logged()) or "waits for the database" in "".join(seen))
        folder.mkdir()
        shutil.copy(migrated, folder / "wsx.db")
        there = Settings(database_url=f"sqlite+aiosqlite:///{folder}/wsx.db")
        await eventually(lambda: [("ada", "Ada", "[]", 1)] == rows(there, USERS))
    await database.close()


async def test_a_database_that_is_away_at_the_end_does_not_disturb_the_end(settings, tmp_path, logged):
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/away/wsx.db")
    hub = make_hub()
    async with running(services(settings, database, hub)):
        tab(hub, "ada")
    assert "left undone at the end" in (told := logged())
    assert "users who connected" in told
    tab(hub, "bob")  # nobody listens any more
    await database.close()
    await eventually(no_driver_thread)


async def test_a_thousand_and_more_are_written_down_at_the_end(database, settings, monkeypatch):
    monkeypatch.setattr(recorder, "PAUSE_S", 3600)
    hub = make_hub()
    async with running(services(settings, database, hub)):
        for number in range(gathering.MAX_BATCH + 1):
            tab(hub, f"user-{number}")
    assert [(gathering.MAX_BATCH + 1,)] == rows(settings, "SELECT count(*) FROM users")


async def test_a_user_who_changes_while_being_written_down_ends_as_the_newest(database, settings):
    hub = make_hub()
    async with running(services(settings, database, hub)):
        async with database.transaction():  # the recorder has to wait behind it
            tab(hub, "ada")
            await eventually(lambda: database._writer._waiters)
            tab(hub, "ada", "admin")
        await eventually(lambda: [("ada", "Ada", '["admin"]', 1)] == rows(settings, USERS))
