"""What each path can do, for who asks by OPTIONS. Litestar's own answer names just the methods of the first route at a path."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from http import HTTPStatus

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler


def options_routes(routes: Iterable[HTTPRouteHandler]) -> Sequence[HTTPRouteHandler]:
    """One for each path. They are to be registered before the others: Litestar adds its own to a path that has none."""
    methods: defaultdict[str, set[str]] = defaultdict(set)
    for one in routes:
        for path in one.paths:
            methods[path] |= one.http_methods
    return [_options(path, sorted({"OPTIONS", *known})) for path, known in methods.items()]


def _options(path: str, methods: Sequence[str]) -> HTTPRouteHandler:
    headers = {"Allow": ", ".join(methods), "Cache-Control": "no-store"}

    @route(path, http_method="OPTIONS", status_code=HTTPStatus.NO_CONTENT, include_in_schema=False)
    async def allowed() -> Response[None]:
        return Response(None, headers=headers)

    return allowed
