"""Users are written down behind their connects, also when the file is away, or another writer has its turn."""

import shutil

import pytest

from api_tests.db.beside import rows
from api_tests.db.recorders import USERS, no_driver_thread, services
from api_tests.hub.recording import make_hub, tab
from api_tests.waiting import eventually
from app.db.session import Database
from app.features.users.recorder import running
from app.settings import Settings

pytestmark = pytest.mark.usefixtures("hasty_recorder")


async def test_users_wait_while_the_database_is_away(settings, tmp_path, migrated, logged):
    folder = tmp_path / "away"
    database = Database(f"sqlite+aiosqlite:///{folder}/wsx.db")
    hub = make_hub()
    async with running(services(settings, database, hub)):
        tab(hub, "ada")
        seen = []
        await eventually(lambda: seen.append(logged()) or "waits, and is tried again" in "".join(seen))
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


async def test_a_user_who_changes_while_being_written_down_ends_as_the_newest(database, settings):
    hub = make_hub()
    async with running(services(settings, database, hub)):
        async with database.transaction():  # the recorder has to wait behind it
            tab(hub, "ada")
            await eventually(lambda: database._backend._writer._waiters)
            tab(hub, "ada", "admin")
        await eventually(lambda: [("ada", "Ada", '["admin"]', 1)] == rows(settings, USERS))
