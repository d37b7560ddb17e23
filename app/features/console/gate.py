"""What comes from a page of the console and what does not: the cookie, where a form was sent from, and its token.

Three walls against forms of strangers, any of which would do: the cookie is `SameSite=Strict`; the browser says where the form
was; and each form holds a token that only a page with the cookie knows.
"""

import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

import structlog
from litestar import Request
from litestar.datastructures import Cookie

from app.auth import admission
from app.auth.origins import Origins
from app.features.console_sessions import LASTS
from app.kernel.errors import Forbidden

COOKIE: Final = "wsx_console"
PATH: Final = "/console"
FORM_TOKEN: Final = "form_token"  # noqa: S105 - the name of a field
FORM_ID: Final = "form_id"
_OWN: Final = Origins(())
_FOREIGN: Final = "this form was not sent by a page of this console; load the page anew, and try again"
_NOT_TRUSTED: Final = (
    "the page was loaded by https, and its form has arrived by http: "
    "whoever runs this server must name the proxy in front of it in WSX_TRUSTED_PROXIES"
)
_OTHER_HOST: Final = (
    "the page was loaded from another host than its form was sent to: "
    "the proxy in front of this server must pass the header Host as the browser has sent it"
)

_log = structlog.get_logger()


def cookie_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The cookie of a request or handshake; None: it has none."""
    given = b"; ".join(value for name, value in headers if name == b"cookie")
    return admission.cookie(given.decode("latin-1"), COOKIE)


def set_cookie(value: str, *, scheme: str) -> Cookie:
    """The cookie for a browser that came by this scheme. Empty: it is to be forgotten."""
    return Cookie(
        COOKIE,
        value=value,
        path=PATH,
        httponly=True,
        samesite="strict",
        secure=scheme == "https",
        max_age=int(LASTS.total_seconds()) if value else 0,
    )


def form_token(cookie: str) -> str:
    """What the forms of pages with this cookie hold. It says nothing of the cookie."""
    return hmac.digest(cookie.encode(errors="surrogateescape"), b"forms of the console", "sha256").hex()


def once(path: str, body: bytes) -> str:
    """By what a form that is sent again is known: twice clicked, or a page loaded anew. Another text in it makes it another one."""
    return sha256(b"%s\n%s" % (path.encode(), body)).hexdigest()


def check_form(request: Request[Any, Any, Any], token: str) -> None:
    """Raise Forbidden unless a page of ours has sent this form.

    Browsers tell `Sec-Fetch-Site` where the connection is safe, and `Origin` everywhere, which is `null` where a page may tell
    nobody its address.
    """
    _check_origin(request)
    cookie = cookie_of(request.scope["headers"])
    if cookie is None or not hmac.compare_digest(form_token(cookie).encode(), token.encode()):
        raise Forbidden(_FOREIGN)


def _check_origin(request: Request[Any, Any, Any]) -> None:
    headers, scheme = request.headers, request.scope["scheme"]
    site, origin, host = headers.get("sec-fetch-site"), headers.get("origin"), headers.get("host", "")
    if origin == "null":
        origin = None
    if site not in {"same-origin", None} or site is origin is None:
        raise Forbidden(_FOREIGN)
    if origin is not None and not _OWN.allow(origin, scheme=scheme, host=host):
        raise Forbidden(_why_another(request, origin, host, is_own=site is not None))


def _why_another(request: Request[Any, Any, Any], origin: str, host: str, *, is_own: bool) -> str:
    """Why the origin of a form is not ours. `is_own`: its browser says that it is, so that what is between must be wrong."""
    if request.scope["scheme"] == "http" and _OWN.allow(origin, scheme="https", host=host):
        said = _NOT_TRUSTED
    elif is_own:
        said = _OTHER_HOST
    else:
        return _FOREIGN
    client = request.client
    _log.warning("a form of the console was refused", why=said, proxy=client.host if client else "", origin=origin, host=host)
    return said
