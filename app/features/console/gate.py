"""What comes from a page of the console and what does not: the cookie, where a form was sent from, and its token.

Three walls against forms of strangers, any of which would do: the cookie is `SameSite=Strict`; the browser says where the form
was; and each form holds a token that only a page with the cookie knows.
"""

import hmac
from collections.abc import Iterable
from typing import Any, Final

from litestar import Request
from litestar.datastructures import Cookie

from app.auth import admission
from app.auth.origins import Origins
from app.features.console_sessions import LASTS
from app.kernel.errors import Forbidden

COOKIE: Final = "wsx_console"
PATH: Final = "/console"
FORM_TOKEN: Final = "form_token"  # noqa: S105 - the name of a field
_OWN: Final = Origins(())
_FOREIGN: Final = "this form was not sent by a page of this console; load the page anew, and try again"


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


def check_form(request: Request[Any, Any, Any], token: str) -> None:
    """Raise Forbidden unless a page of ours has sent this form.

    Browsers tell `Sec-Fetch-Site` where the connection is safe, and `Origin` everywhere, which is `null` where a page may tell
    nobody its address.
    """
    headers = request.headers
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    scheme = "wss" if request.scope["scheme"] == "https" else "ws"
    is_own = origin is not None and _OWN.allow(origin, scheme=scheme, host=headers.get("host", ""))
    is_told = site == "same-origin" if site is not None else is_own
    cookie = cookie_of(request.scope["headers"])
    is_foreign = not is_told or (origin not in {None, "null"} and not is_own)
    if is_foreign or cookie is None or not hmac.compare_digest(form_token(cookie).encode(), token.encode()):
        raise Forbidden(_FOREIGN)
