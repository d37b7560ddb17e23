"""The overview: how many are there, and how busy this node is."""

from typing import Any, Final

from app.features.console_charts import charts
from app.features.console_pages.page import Page, Visit

_COUNTS: Final = "connections:read"
_CHARTS: Final = "metrics:read"


async def _load(visit: Visit) -> dict[str, Any]:
    desk = visit.desk
    return {
        "node": visit.samples.node,
        "nodes": visit.samples.nodes,
        "count": await desk.ask("count_connections") if desk.may(_COUNTS) else None,
        "has_charts": desk.may(_CHARTS),
        "charts": charts(visit.samples.newest) if desk.may(_CHARTS) else [],
    }


OVERVIEW: Final = Page("overview", "Overview", ("any",), _load, every_turns=1)
