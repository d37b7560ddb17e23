"""`/metrics`: numbers for Prometheus, in its text format. Needs a key with the scope `metrics:read`."""

from collections.abc import Awaitable, Callable, Sequence

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from app.web.operation import operation


def metrics_routes(page: Callable[[], Awaitable[bytes]]) -> Sequence[HTTPRouteHandler]:
    """`/metrics`: an operation like those of the back office, but for its place and its format. `page`: what it tells."""

    @operation("GET", "/metrics", scope="metrics:read", tag="", summary="Numbers for Prometheus")
    async def metrics() -> Response[bytes]:
        return Response(await page(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    return [metrics]
