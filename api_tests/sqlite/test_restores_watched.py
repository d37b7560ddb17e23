"""Whoever looks for restores goes on when a look fails, and announcements follow what the database has now."""

import asyncio
import sqlite3
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import text

from api_tests.client import ApiClient
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.sqlite.test_restore import put_back_under
from api_tests.waiting import MS, eventually
from app.cli import backup
from app.db.lineage import Look, Looks, OwnLineages
from app.db.session import Database
from app.db.url import file_of
from app.features import restored
from app.settings import Settings


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restored, "LOOK_EVERY_S", 10 * MS)


async def test_a_look_that_fails_is_logged_and_the_next_one_finds_the_restore(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch, logged
) -> None:
    looks = []
    look = Looks.look

    async def failing(self: Looks) -> Look:
        looks.append(1)
        if len(looks) == 2:
            message = "database disk image is malformed"
            raise sqlite3.DatabaseError(message)
        return await look(self)

    monkeypatch.setattr(Looks, "look", failing)
    async with restored.restores_noticed(database, OwnLineages()):
        await eventually(lambda: 4 <= len(looks))
    assert 1 == logged().count("could not be found out now")


async def test_looks_leave_nothing_behind_however_many_there_are(database: Database) -> None:
    looks, counts = Looks(database), []
    for number in range(3):
        async with database.transaction() as session:
            await session.execute(text(f"CREATE TABLE t{number} (i INTEGER)"))
        found, left = await looks.look()
        assert found.progress + 1 == left.progress  # it counts
        counts.append(len(database.engine.sync_engine._compiled_cache))
    assert [1, 1] == [later - earlier for earlier, later in pairwise(counts)]  # the statement of this test


async def restore(server: Running, copy: Path) -> None:
    """Under the server, until it has noticed."""
    cursor = server.hub.cursor()
    await asyncio.to_thread(put_back_under, copy, file_of(server.settings.database_url))
    await eventually(lambda: server.hub.cursor().partition("-")[0] != cursor.partition("-")[0])


async def test_an_announcement_that_was_recalled_since_the_backup_is_on_the_screens_again(
    settings: Settings, tmp_path: Path
) -> None:
    async with run_server(settings) as server, ApiClient(server.url, ADMIN_KEY) as api:
        made = (await api.post("/announcements", {"message": "come back", "priority": "high"})).json()
        await asyncio.to_thread(backup.copy, file_of(settings.database_url), tmp_path / "copy.db")
        assert 204 == (await api.delete(f"/announcements/{made['id']}")).status_code
        async with server.socket("ada") as page:
            await restore(server, tmp_path / "copy.db")
            assert "come back" in (await page.next_of("#announcements"))["html"]
            await api.call("PATCH", f"/announcements/{made['id']}", {"message": "once more"})
            while "once more" not in str(await page.next()):
                pass
        async with server.socket("bob") as page:
            assert "once more" in (await page.next_of("#announcements"))["html"]
