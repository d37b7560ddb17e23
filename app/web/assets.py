"""Files that pages load: read once, served from memory with an ETag. Nothing is ever loaded from another host."""

import hashlib
import mimetypes
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

SHIPPED: Final = Path(__file__).parent.parent / "assets"

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""The content security policy of the pages that we ship: their own scripts, styles and sockets, nothing inline."""


def page(html: str, *, policy: str = PAGE_POLICY) -> Response[str]:
    """One of our pages."""
    return Response(html, media_type="text/html", headers={"Content-Security-Policy": policy, "Cache-Control": "no-cache"})


def file_route(path: str, file: Path) -> HTTPRouteHandler:
    """A route for one file. Raises FileNotFoundError at start, not at the first request."""
    content = file.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"

    @get(path, include_in_schema=False, name=f"file:{path}")
    async def send_file(request: Request[Any, Any, Any]) -> Response[bytes | None]:
        headers = {"ETag": etag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == etag:
            return Response(None, status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return send_file
