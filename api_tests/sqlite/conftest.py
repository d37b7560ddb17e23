"""These tests are of SQLite alone, whatever the others run on."""

import pytest


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url
