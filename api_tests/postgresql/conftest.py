"""These tests are of PostgreSQL alone, whatever the others run on."""

from collections.abc import Iterator

import pytest

from api_tests.postgresql_server import Postgres, run_postgres


@pytest.fixture
def database_url(postgresql_url: str) -> str:
    return postgresql_url


@pytest.fixture(scope="module")
def own() -> Iterator[Postgres]:
    """A cluster that may be stopped."""
    with run_postgres(durable=True) as running:
        yield running


@pytest.fixture
def own_url(own: Postgres) -> Iterator[str]:
    """A migrated database in it."""
    with own.migrated() as url:
        yield url
