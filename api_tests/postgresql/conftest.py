"""These tests are of PostgreSQL alone, whatever the others run on."""

import pytest


@pytest.fixture
def database_url(postgresql_url: str) -> str:
    return postgresql_url
