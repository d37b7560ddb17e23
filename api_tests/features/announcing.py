"""What the back office announces, and what a page shows of it."""

from datetime import timedelta
from typing import Any

from api_tests.client import ApiClient, SocketClient
from api_tests.features.screen import Screen
from api_tests.server import Running
from api_tests.waiting import eventually
from app.features.announcements.board import Board
from app.kernel.clock import utc_now

NEW = {"message": "Free coffee", "priority": "high"}
EVERYONE = {"kind": "everyone"}
IN_A_MOMENT_S = 0.3


async def announce(api: ApiClient, **changes: object) -> Any:
    """Announce; returns what was made."""
    answer = await api.post("/announcements", {**NEW, **changes})
    assert 201 == answer.status_code, answer.text
    return answer.json()


async def change(api: ApiClient, made: Any, **changes: object) -> Any:
    """Edit; returns what it is now."""
    answer = await api.call("PATCH", f"/announcements/{made['id']}", changes)
    assert 200 == answer.status_code, answer.text
    return answer.json()


async def shown(page: SocketClient, screen: Screen | None = None) -> Screen:
    """The list after the next message."""
    screen = screen or Screen("#announcements")
    screen.apply(await page.next())
    return screen


def later(seconds: float = IN_A_MOMENT_S) -> str:
    """A time to come, as REST takes it."""
    return (utc_now() + timedelta(seconds=seconds)).isoformat()


async def at(moment: str) -> None:
    """Wait for it."""
    await eventually(lambda: utc_now().isoformat() > moment)


def board_of(server: Running) -> Board:
    """The board of a running server, which shows itself to all who arrive."""
    owners = [getattr(function, "__self__", None) for function in server.hub.on_arrival._functions]
    return next(owner for owner in owners if isinstance(owner, Board))
