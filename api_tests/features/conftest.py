"""What features do is tested however slow the disk is: how long a database is waited for is tested where that is decided."""

import pytest

from api_tests.waiting import MS, SOON_S
from app.db import postgresql, sqlite
from app.features import gathering
from app.features.audit import recorder

SOON_MS = round(1_000 * SOON_S)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Databases that are opened from now on wait for their disk and for each other; `impatient` is stronger."""
    monkeypatch.setattr(sqlite, "TURN_TIMEOUT_S", SOON_S)
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", SOON_MS)
    for name in ("POOL_TIMEOUT_S", "CONNECT_TIMEOUT_S", "ANSWER_TIMEOUT_S"):
        monkeypatch.setattr(postgresql, name, SOON_S)
    for name in ("STATEMENT_TIMEOUT_MS", "LOCK_TIMEOUT_MS", "IDLE_TIMEOUT_MS"):
        monkeypatch.setattr(postgresql, name, SOON_MS)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of the audit log are written at once."""
    monkeypatch.setattr(recorder, "PAUSE_S", 1 * MS)
    monkeypatch.setattr(recorder, "REFUSALS_S", 10 * MS)
    monkeypatch.setattr(recorder, "STRANGERS_S", 10 * MS)
    monkeypatch.setattr(gathering, "REST", 0)
