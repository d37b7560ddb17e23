"""Waiting for the recorder, which writes users down behind their connects."""

from api_tests.db.beside import rows
from api_tests.waiting import eventually
from app.settings import Settings


async def written_down(settings: Settings, count: int) -> None:
    """Wait until so many users have connected and have their rows."""
    connected = "SELECT count(*) FROM users WHERE last_connected_at IS NOT NULL"
    await eventually(lambda: [(count,)] == rows(settings, connected))
