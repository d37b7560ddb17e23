"""Is it alive, and may a balancer send people here?"""

from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from app.db.session import Database
from app.hub.drain import Drain
from app.hub.hub import Hub
from app.kernel.errors import Unavailable


class Health(msgspec.Struct):
    """The state of the server, and of each part that it needs."""

    status: str
    parts: dict[str, str] = {}


@get("/health/live", include_in_schema=False)
async def live() -> Health:
    """The process runs and its loop turns."""
    return Health("ok")


@get("/ws", include_in_schema=False)
async def upgrade_needed() -> Response[str]:
    """Somebody opened the socket's address as a page."""
    return Response(
        "This is the address of a WebSocket; open it with wsx.js or another WebSocket client.\n",
        media_type="text/plain",
        status_code=HTTPStatus.UPGRADE_REQUIRED,
        headers={"Upgrade": "websocket", "Connection": "Upgrade"},
    )


def health_routes(database: Database, hub: Hub, drain: Drain) -> Sequence[HTTPRouteHandler]:
    """The routes of health, and of the socket's address."""

    @get("/health/ready", include_in_schema=False)
    async def ready() -> Response[Health]:
        """It can do its work, or which part is missing: 503 when people are better sent elsewhere, also while it stops.

        While the journal is away this node still holds its sockets, answers, and takes what is stored: so does every other node,
        and none of them is better, nor is one that does not know the others. One that never reached the journal is another
        matter: it may be set up wrongly.
        """
        drain.looked()
        if hub.is_draining:
            return Response(Health("draining"), status_code=HTTPStatus.SERVICE_UNAVAILABLE)
        state, roster = hub.journal.health().state, hub.roster
        parts = {"database": "ok", "journal": state} | ({} if roster.is_alone else {"roster": "stale" if roster.is_stale else "ok"})
        try:
            await database.check()
        except Unavailable:
            away = Health("degraded", parts | {"database": "away"})
            return Response(away, status_code=HTTPStatus.SERVICE_UNAVAILABLE)
        return Response(
            Health("ok" if state == "ok" and not roster.is_stale else "degraded", parts),
            status_code=HTTPStatus.SERVICE_UNAVAILABLE if state == "never reached" else HTTPStatus.OK,
        )

    return [live, ready, upgrade_needed]
