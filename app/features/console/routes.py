"""The pages at `/console`, and what their forms ask."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from app.auth.keys import Caller
from app.features import console_pages
from app.features.console import gate
from app.features.console.application import Console
from app.features.console_pages import PAGES, Act, Done, Form, Page, Visit, told
from app.features.console_sessions import Session, claims, new_cookie
from app.features.fragments import fragments
from app.features.services import Services
from app.kernel.errors import AppError, Conflict, Forbidden, NotFound, Unauthenticated
from app.kernel.ids import new_short_id
from app.web import assets
from app.web.answering import Office
from app.web.deeds import NOBODY, Deed, actor_of
from app.web.desk import Desk
from app.web.idempotency import AnswerLost

ASSETS: Final = Path(console_pages.__file__).parent / "assets"
SIGN_IN: Final = f"{gate.PATH}/sign-in"
SIGN_OUT: Final = f"{gate.PATH}/sign-out"
SAID: Final[Mapping[str, str]] = {
    "announced": "The announcement is on its way.",
    "closed": "The connection was closed.",
    "let_in": "The user is a member now.",
    "put_out": "The user is no member any more.",
    "recalled": "The announcement was recalled: it has left every screen.",
    "revoked": "The key was revoked.",
    "room_deleted": "The room was deleted.",
    "room_made": "The room was made.",
    "scheduled": "The announcement is scheduled.",
    "signed_out": "You are signed out.",
}
"""What is said of what was done, by the word in the address of the page that comes behind it."""


async def _load_nothing(_visit: Visit) -> dict[str, Any]:
    raise NotFound("The console has no such page.")


_NOTHING: Final = Page("error", "Not found", ("any",), _load_nothing)
_DONE_BEFORE: Final = "This form was sent before, and done: nothing was done again. What was shown then is shown only once."
_Request = Request[Any, Any, Any]
_HIDDEN_HEADERS: Final = frozenset({"WWW-Authenticate"})
"""Of refusals: a browser would ask for a password by itself."""


def path_of(page: Page) -> str:
    """Where a page is."""
    return gate.PATH if page.name == "overview" else f"{gate.PATH}/{page.name}"


def console_routes(services: Services, office: Office) -> Sequence[HTTPRouteHandler]:
    """All routes of the console, which is open from now on."""
    console = services.of(Console)
    console.open(office)
    desk = _FrontDesk(console)
    pages = [_page_route(desk, page) for page in PAGES]
    acts = [_act_route(desk, page, name, *act) for page in PAGES for name, act in page.acts.items()]
    files = [assets.file_route(f"{gate.PATH}/{name}", ASSETS / name) for name in ("console.css", "console.js")]
    return [*pages, *acts, *_sign_routes(desk), _nothing_route(desk), *files]


class _FrontDesk:
    """Receives who comes, and shows pages."""

    def __init__(self, console: Console) -> None:
        self.console = console

    async def session(self, request: _Request) -> Session | None:
        """Who is signed in. Raises Unavailable."""
        return await self.console.sessions.find(gate.cookie_of(request.scope["headers"]))

    async def receive(self, request: _Request, answer: Callable[[Session], Awaitable[Response[Any]]]) -> Response[Any]:
        """What is answered to who is signed in. Others are shown the door, and who makes cookies up is counted."""
        try:
            session = await self.session(request)
            is_claimed = session is None and claims(gate.cookie_of(request.scope["headers"]))
            if is_claimed:
                self._count_refusal(request)
        except AppError as error:
            return _sign_in_page(request, "", error)
        if session is not None:
            return await answer(session)
        return _to(SIGN_IN, *([gate.set_cookie("", scheme=request.scope["scheme"])] if is_claimed else []))

    def _count_refusal(self, request: _Request) -> None:
        """A cookie stands for nobody who is signed in. Raises RateLimited for one too many."""
        error: AppError = Unauthenticated("this cookie stands for nobody who is signed in")
        try:
            self.console.counter.office.guard.refused(address_of(request))
        except AppError as too_many:
            error = too_many
            raise
        finally:
            self.note(request, "console_visit", None, error)

    def desk(self, request: _Request, session: Session, *, once: str = "") -> Desk:
        """Where this request asks."""
        request_id = request.scope["state"]["request_id"]
        return Desk(self.console.counter, session.caller, address=address_of(request), request_id=request_id, once=once)

    async def show(
        self,
        request: _Request,
        session: Session,
        page: Page,
        *,
        once: Mapping[str, object] | None = None,
        form: Form | None = None,
        error: AppError | None = None,
    ) -> Response[str]:
        """A page; with what is shown `once`, or with what was sent and why it was refused."""
        desk = self.desk(request, session)
        query = page.asked(request.query_params if form is None else {"id": form.text("id")})
        common = {**self._common(request, page, desk), "query": urlencode(query)}
        try:
            _check_sees(desk, page)
            loaded = await page.load(Visit(desk, query, self.console.live.samples))
        except AppError as failure:
            refusal = error or failure
            html = fragments.render("console_pages/error.html", **common, **told(refusal, ()), is_live=False)
            return _html(html, refusal)
        asked_by = form.names if form is not None else page.query
        told_of = error or loaded.get("refusal")
        shown = {**loaded, **page.extra, **(once or {}), "form": form or Form(), "may": desk.may, "is_live": page.every_turns > 0}
        html = fragments.render(f"console_pages/{page.name}.html", **{**shown, **common, **told(told_of, asked_by)})
        return _html(html, told_of)

    def _common(self, request: _Request, page: Page, desk: Desk) -> dict[str, object]:
        """What the frame around each page shows."""
        return {
            "page": page,
            "nav": [(path_of(one), one.title, one.name) for one in PAGES if not one.within and desk.may(*one.scopes)],
            "caller": desk.caller,
            "form_token": gate.form_token(gate.cookie_of(request.scope["headers"]) or ""),
            gate.FORM_ID: new_short_id(),
            "said": SAID.get(request.query_params.get("done", ""), ""),
        }

    def note(self, request: _Request, operation: str, caller: Caller | None, error: AppError | None = None) -> None:
        """Into the audit log: who signed in and out, and who was not let in."""
        status, code = (int(error.status), error.code) if error is not None else (303, "")
        actor = NOBODY if caller is None else actor_of(caller)
        request_id = request.scope["state"]["request_id"]
        self.console.counter.office.note(Deed(actor, operation, {}, None, {}, status, code, request_id, address_of(request)))


def _page_route(front: _FrontDesk, page: Page) -> HTTPRouteHandler:
    @get(path_of(page), include_in_schema=False, name=f"console:{page.name}")
    async def show(request: _Request) -> Response[Any]:
        return await front.receive(request, lambda session: front.show(request, session, page))

    return show


def _nothing_route(front: _FrontDesk) -> HTTPRouteHandler:
    @get(f"{gate.PATH}/{{rest:path}}", include_in_schema=False, name="console:nothing")
    async def nothing(request: _Request) -> Response[Any]:
        return await front.receive(request, lambda session: front.show(request, session, _NOTHING))

    return nothing


def _act_route(front: _FrontDesk, page: Page, name: str, scope: str, act: Act) -> HTTPRouteHandler:
    @post(f"{gate.PATH}/{page.name}/{name}", include_in_schema=False, name=f"console:{page.name}:{name}", opt={"scope": scope})
    async def carry_out(request: _Request) -> Response[Any]:
        return await front.receive(request, lambda session: carried_out(request, session))

    async def carried_out(request: _Request, session: Session) -> Response[Any]:
        form = Form()
        try:
            sent = await request.body()
            form = Form.read(sent)
            gate.check_form(request, form.text(gate.FORM_TOKEN))
            once = gate.once(request.scope["path"], sent) if form.text(gate.FORM_ID) else ""
            desk = front.desk(request, session, once=once)
            _check_sees(desk, page)
            outcome = await act(desk, form)
        except AnswerLost:
            return await front.show(request, session, page, error=Conflict(_DONE_BEFORE))
        except AppError as error:
            return await front.show(request, session, page, form=form, error=error)
        if isinstance(outcome, Done):
            return _to(outcome.address)
        return await front.show(request, session, page, once=outcome.context, form=None if outcome.is_done else form)

    return carry_out


def _sign_routes(front: _FrontDesk) -> Sequence[HTTPRouteHandler]:
    @get(SIGN_IN, include_in_schema=False)
    async def sign_in_page(request: _Request) -> Response[Any]:
        if await front.session(request) is not None:
            return _to(gate.PATH)
        return _sign_in_page(request, SAID.get(request.query_params.get("done", ""), ""))

    @post(SIGN_IN, include_in_schema=False)
    async def sign_in(request: _Request) -> Response[Any]:
        try:
            form = Form.read(await request.body())
            gate.check_form(request, form.text(gate.FORM_TOKEN))
            cookie, session = await front.console.sessions.sign_in(form.text("key"), address_of(request))
            before = await front.session(request)
            if before is not None:
                await front.console.sessions.sign_out(before.id)
                front.console.live.close(before.id)
        except AppError as error:
            front.note(request, "console_sign_in", None, error)
            return _sign_in_page(request, "", error)
        front.note(request, "console_sign_in", session.caller)
        return _to(gate.PATH, gate.set_cookie(cookie, scheme=request.scope["scheme"]))

    @post(SIGN_OUT, include_in_schema=False)
    async def sign_out(request: _Request) -> Response[Any]:
        session = await front.session(request)
        if session is not None:
            try:
                gate.check_form(request, Form.read(await request.body()).text(gate.FORM_TOKEN))
            except AppError as error:
                return await front.show(request, session, PAGES[0], error=error)
            await front.console.sessions.sign_out(session.id)
            front.console.live.close(session.id)
            front.note(request, "console_sign_out", session.caller)
        return _to(f"{SIGN_IN}?done=signed_out", gate.set_cookie("", scheme=request.scope["scheme"]))

    return [sign_in_page, sign_in, sign_out]


def _sign_in_page(request: _Request, said: str, error: AppError | None = None) -> Response[str]:
    """With a cookie that stands for nobody yet, which its form is bound to."""
    known = gate.cookie_of(request.scope["headers"])
    cookie = known or new_cookie()
    refusal = error.detail if error is not None else ""
    html = fragments.render("console_pages/sign-in.html", form_token=gate.form_token(cookie), said=said, error=refusal)
    answer = _html(html, error)
    if known is None:
        answer.cookies.append(gate.set_cookie(cookie, scheme=request.scope["scheme"]))
    return answer


def _html(html: str, error: AppError | None) -> Response[str]:
    """One of our pages, kept nowhere."""
    answer = assets.page(html)
    answer.headers["Cache-Control"] = "no-store"
    if error is not None:
        answer.status_code = int(error.status)
        answer.headers.update({name: value for name, value in error.headers.items() if name not in _HIDDEN_HEADERS})
    return answer


def _check_sees(desk: Desk, page: Page) -> None:
    """Raise Forbidden unless the key may see the page: what cannot be seen cannot be done either."""
    if not desk.may(*page.scopes):
        message = f"this key has not the scope {' or '.join(page.scopes)}"
        raise Forbidden(message)


def _to(address: str, *cookies: Any) -> Redirect:
    return Redirect(address, status_code=303, cookies=list(cookies))


def address_of(request: _Request) -> str:
    """From where a request comes; empty: that is not known."""
    client = request.scope.get("client")
    return client[0] if client else ""
