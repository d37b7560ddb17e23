"""The dashboard: for programs as numbers, for admins as a fragment."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from app.features.fragments import fragments
from app.features.listing import Incomplete
from app.wire.update import Update

PLACE = "#dashboard-stats"
MONEY: Final = "revenue"
"""The one figure that is shown as money."""
_EXACT: Final = 2**53
"""Up to here every whole number is a float of its own (IEEE 754)."""

Figures = Annotated[dict[str, int | float], Meta(description="The back office's own figures, in its order")]


class Dashboard(msgspec.Struct, frozen=True):
    """All numbers of one moment."""

    active_users: Annotated[int, Meta(description="Users with at least one connection")]
    connections: Annotated[int, Meta(description="Open connections")]
    messages_last_hour: Annotated[int, Meta(description="Messages in rooms and to users")]
    figures: Figures
    at: datetime
    incomplete: Incomplete


def as_given(figures: Mapping[str, float]) -> dict[str, int | float]:
    """The figures as people write them: 17, not 17.0."""
    return {name: int(value) if value.is_integer() and abs(value) <= _EXACT else value for name, value in figures.items()}


def shown(dashboard: Dashboard) -> Update:
    """The dashboard in place of the one before."""
    return Update(PLACE, fragments.render("dashboard/stats.html", stats=list(_lines(dashboard))))


def _lines(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    yield "Active Users", str(dashboard.active_users)
    for name, value in dashboard.figures.items():
        yield name.replace("_", " ").title(), _money(value) if name == MONEY else str(value)
    yield "Connections", str(dashboard.connections)
    yield "Messages in the last hour", str(dashboard.messages_last_hour)
    if dashboard.incomplete:
        yield "Not counted", ", ".join(dashboard.incomplete)


def _money(value: float) -> str:
    return f"{'-' if value < 0 else ''}${abs(value):.2f}"
