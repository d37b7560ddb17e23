"""One server for all that is done to it: what one flood leaves behind, the next one would show."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api_tests.abuse.victim import Victim, victim
from api_tests.cli.command import Operator


@pytest.fixture(scope="module")
async def server_under_abuse(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Victim]:
    """As it ships, unless the module has other `SETTINGS`."""
    folder: Path = tmp_path_factory.mktemp("abused")
    async with victim(Operator(folder), **getattr(request.module, "SETTINGS", {})) as running:
        yield running
