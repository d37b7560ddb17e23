"""The demo page, and signing in to it."""

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.handlers import HTTPRouteHandler
from litestar.params import URLEncodedBody
from litestar.response import Redirect

from app.auth.admission import COOKIE
from app.features.demo import page
from app.features.demo.page import PERSONAS
from app.features.demo.town import ROOMS
from app.features.services import Services
from app.kernel.errors import AppError
from app.kernel.identity import User
from app.web import assets

HERE: Final = Path(__file__).parent
STAYS: Final = timedelta(hours=8)
ROLES: Final = {"": (), "premium": ("premium",), "admin": ("admin",)}


class SignIn(msgspec.Struct):
    """The form of the demo page."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    role: str = ""


class ComeIn(msgspec.Struct):
    """The buttons of the demo page."""

    who: Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(PERSONAS)})$")]


def demo_routes(services: Services) -> Sequence[HTTPRouteHandler]:
    """The routes of the demo."""
    tokens = services.tokens

    def signed_in(request: Request[Any, Any, Any]) -> User | None:
        token = request.cookies.get(COOKIE)
        try:
            return tokens.read(token) if token else None
        except AppError:
            return None

    def let_in(name: str, role: str, *, begins: str = "/") -> Redirect:
        user_id = re.sub(r"\W+", "-", name.lower()).strip("-") or "somebody"
        token = tokens.issue(user_id, name=name.strip() or user_id, roles=ROLES.get(role, ()), ttl=STAYS)
        cookie = Cookie(COOKIE, value=token, path="/", httponly=True, samesite="lax", max_age=int(STAYS.total_seconds()))
        return Redirect(begins, status_code=303, cookies=[cookie])

    @get("/", include_in_schema=False)
    async def demo_page(request: Request[Any, Any, Any]) -> Response[str]:
        address = str(request.base_url).rstrip("/")
        return assets.page(await page.render(services, signed_in(request), address))

    @post("/demo/sign-in", include_in_schema=False)
    async def sign_in(data: URLEncodedBody[SignIn]) -> Redirect:
        return let_in(data.name, data.role)

    @post("/demo/come-in", include_in_schema=False)
    async def come_in(data: URLEncodedBody[ComeIn]) -> Redirect:
        persona = PERSONAS[data.who]
        begins = urlencode({"room": next(iter(ROOMS)), "at": persona.at})
        return let_in(data.who, persona.role, begins=f"/?{begins}")

    @post("/demo/sign-out", include_in_schema=False)
    async def sign_out() -> Redirect:
        return Redirect(
            "/", status_code=303, cookies=[Cookie(COOKIE, value="", path="/", httponly=True, samesite="lax", max_age=0)]
        )

    files = [assets.file_route(f"/demo/{name}", HERE / "assets" / name) for name in ("demo.css", "demo.js")]
    return [demo_page, sign_in, come_in, sign_out, *files]
