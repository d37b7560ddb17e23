"""A database of its own for each test."""

from collections.abc import AsyncIterator

import pytest

from app.db.session import Database
from app.settings import Settings


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database_url)
    yield database
    await database.close()
