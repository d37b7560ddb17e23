"""Is it alive, and may a balancer send people here?"""

from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from app.db.session import Database
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


def health_routes(database: Database, hub: Hub) -> Sequence[HTTPRouteHandler]:
    """The routes of health, and of the socket's address."""

    @get("/health/ready", include_in_schema=False)
    async def ready() -> Response[Health]:
        """It can do its work: 200, or 503: it stops, or which part is missing."""
        if hub.is_draining:
            return Response(Health("draining"), status_code=HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            await database.check()
        except Unavailable:
            return Response(Health("degraded", {"database": "away"}), status_code=HTTPStatus.SERVICE_UNAVAILABLE)
        return Response(Health("ok", {"database": "ok"}))

    return [live, ready, upgrade_needed]
