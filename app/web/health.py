"""Is it alive, and may a balancer send people here?"""

from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from app.db.watch import Watch
from app.hub.drain import Drain
from app.hub.hub import Hub

ALONE_AFTER_S = 20.0
"""Seconds without the database after which the others count that have it. An outage of all is known to each after a look (5 s) that
is not answered (2 s), and to the others with two beats (5 s each): until then they seem to have it."""


class Health(msgspec.Struct):
    """The state of the server, and of each part that it needs."""

    status: str
    parts: dict[str, str] = {}


@get("/health/live", include_in_schema=False)
async def live() -> Health:
    """The process runs and its loop turns."""
    return Health("ok")


@get(["/ws", "/ws/htmx", "/ws/turbo"], include_in_schema=False)
async def upgrade_needed() -> Response[str]:
    """Somebody opened the socket's address as a page."""
    return Response(
        "This is the address of a WebSocket; open it with wsx.js or another WebSocket client.\n",
        media_type="text/plain",
        status_code=HTTPStatus.UPGRADE_REQUIRED,
        headers={"Upgrade": "websocket", "Connection": "Upgrade"},
    )


def health_routes(watch: Watch, hub: Hub, drain: Drain) -> Sequence[HTTPRouteHandler]:
    """The routes of health, and of the socket's address."""

    @get("/health/ready", include_in_schema=False)
    async def ready() -> Response[Health]:
        """It can do its work, or which part is missing: 503 when people are better sent elsewhere, also while it stops.

        While the journal or the database is away this node still holds its sockets, and does what needs neither: so does every
        other node, and none of them is better, nor is one that does not know the others. One that never reached the journal is
        another matter: it may be set up wrongly. And so is one that alone does not reach the database.
        """
        drain.looked()
        if hub.is_draining:
            return Response(Health("draining"), status_code=HTTPStatus.SERVICE_UNAVAILABLE)
        state, roster, has_database = hub.journal.health().state, hub.roster, await watch.look()
        others_have_it = roster.has_database_elsewhere and not roster.is_stale
        is_alone_without = not has_database and watch.away_s >= ALONE_AFTER_S and others_have_it
        parts = {"database": "ok" if has_database else "away here" if is_alone_without else "away", "journal": state}
        if not roster.is_alone:
            parts["roster"] = "stale" if roster.is_stale else "ok"
        return Response(
            Health("ok" if set(parts.values()) == {"ok"} else "degraded", parts),
            status_code=HTTPStatus.SERVICE_UNAVAILABLE if is_alone_without or state == "never reached" else HTTPStatus.OK,
        )

    return [live, ready, upgrade_needed]
