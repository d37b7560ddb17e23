"""Files that pages load: read once, served from memory with an ETag. Nothing is ever loaded from another host."""

import gzip
import hashlib
import mimetypes
from functools import cache
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

MAX_PACKED_BYTES: Final = 262_144
"""Of a file that is packed: 30 ms at start. The script of Swagger UI has five times as much: few open it, all would wait."""

CLIENT_SOURCE: Final = SHIPPED / "wsx.js"
CLIENT: Final = SHIPPED / "wsx.min.js"
"""What `/wsx.js` sends: the source without what only its readers need, made by `make client`."""
CLIENT_TYPES: Final = SHIPPED / "wsx.d.ts"


def page(html: str, *, policy: str = PAGE_POLICY) -> Response[str]:
    """One of our pages."""
    return Response(html, media_type="text/html", headers={"Content-Security-Policy": policy, "Cache-Control": "no-cache"})


def file_route(path: str, file: Path) -> HTTPRouteHandler:
    """A route for one file. Raises FileNotFoundError at start, not at the first request."""
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    content = file.read_bytes()
    is_packed = media_type.startswith("text/") and len(content) <= MAX_PACKED_BYTES
    return _route(path, content, media_type, packed=_packed(content) if is_packed else b"")


def client_routes() -> tuple[HTTPRouteHandler, ...]:
    """The client of pages, and its types for editors and compilers."""
    script = CLIENT.read_bytes()
    return (
        _route("/wsx.js", script, "text/javascript", packed=_packed(script)),
        _route("/wsx.d.ts", CLIENT_TYPES.read_bytes(), "text/plain"),
    )


@cache
def _packed(content: bytes) -> bytes:
    """By gzip, once a process."""
    return gzip.compress(content, 9, mtime=0)


def _route(path: str, content: bytes, media_type: str, *, packed: bytes = b"") -> HTTPRouteHandler:
    """`packed`: the same by gzip, for those who take it."""
    etag = hashlib.sha256(content).hexdigest()[:32]

    @get(path, include_in_schema=False, name=f"file:{path}")
    async def send_file(request: Request[Any, Any, Any]) -> Response[bytes | None]:
        is_packed = packed != b"" and _takes_gzip(request.headers.get("accept-encoding", ""))
        headers = {"ETag": f'"{etag}-gzip"' if is_packed else f'"{etag}"', "Cache-Control": "no-cache"}
        if packed:
            headers["Vary"] = "Accept-Encoding"
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(None, status_code=304, headers=headers)
        if is_packed:
            headers["Content-Encoding"] = "gzip"
        return Response(packed if is_packed else content, media_type=media_type, headers=headers)

    return send_file


def _takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` (RFC 9110, 12.5.3) names gzip, and not to refuse it."""
    codings = [coding.replace(" ", "").lower().partition(";q=") for coding in accepted.split(",")]
    return any(name == "gzip" and (not asked or weight.strip("0.") != "") for name, asked, weight in codings)
