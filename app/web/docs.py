"""`/docs`: Swagger UI, from the files that the package `swagger-ui-py` brings; `/openapi.json`: the document it shows."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from app.web.assets import SHIPPED, file_route, page

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""As tight as Swagger UI can take: its style sheet holds its icons (`data:`)."""

FILES: Final = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")


@cache
def _document(describe: Callable[[], dict[str, Any]]) -> bytes:
    """The same for all applications of the process."""
    return msgspec.json.encode(describe())


def docs_routes(describe: Callable[[], dict[str, Any]]) -> Sequence[HTTPRouteHandler]:
    """The routes of the docs; `describe` is called at the first request for the document."""

    @get("/openapi.json", include_in_schema=False, sync_to_thread=True)
    def openapi_document() -> Response[bytes]:  # the first time takes long enough to hold up everybody
        return Response(_document(describe), media_type="application/json", headers={"Cache-Control": "no-cache"})

    shipped_docs = (SHIPPED / "docs.html").read_text()

    @get("/docs", include_in_schema=False)
    async def docs_page() -> Response[str]:
        return page(shipped_docs, policy=POLICY)

    folder = _swagger_folder()
    return [
        openapi_document,
        docs_page,
        file_route("/docs/docs.js", SHIPPED / "docs.js"),
        *(file_route(f"/docs/{name}", folder / name) for name in FILES),
    ]


def _swagger_folder() -> Path:
    spec = find_spec("swagger_ui")
    if spec is None or spec.origin is None:
        message = "the package swagger-ui-py is missing; run `make install`"
        raise RuntimeError(message)
    return Path(spec.origin).parent / "static"
