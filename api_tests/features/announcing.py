"""What the back office announces, and what a page shows of it."""

from datetime import timedelta
from typing import Any

from api_tests.client import ApiClient, SocketClient
from api_tests.features.screen import Screen
from app.kernel.clock import utc_now

NEW = {"message": "Free coffee", "priority": "high"}
EVERYONE = {"kind": "everyone"}
LATER_S = 300.0
"""No test takes so long: what is to happen then happens when the test sets its clock forward by as much."""


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


def later(seconds: float = LATER_S) -> str:
    """A time to come, as REST takes it."""
    return (utc_now() + timedelta(seconds=seconds)).isoformat()


async def ends_soon(api: ApiClient, made: Any) -> str:
    """Let it end by the real clock, in a moment that is long enough for the machine to say so. Returns when."""
    for seconds in (0.3, 3, 10):
        answer = await api.call("PATCH", f"/announcements/{made['id']}", {"expires_at": (moment := later(seconds))})
        if answer.is_success:
            return moment
    raise AssertionError(answer.text)
