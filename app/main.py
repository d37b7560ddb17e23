"""Puts the application together: the only file that knows every part. Parts start in order and stop in reverse."""

import asyncio
import importlib
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, NamedTuple

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Tag
from litestar.types import Middleware

from app import __version__
from app.auth.admission import Admission
from app.auth.failures import Failures
from app.auth.from_settings import fingerprint, make_tokens
from app.auth.guards import Guard
from app.auth.keys import KeyRecord, KeyRing
from app.auth.known_ids import KnownIds
from app.auth.tickets import Tickets
from app.auth.tokens import Tokens
from app.cluster.journal import make_journal
from app.cluster.member import Member, make_member
from app.db.lineage import Lineages, OwnLineages
from app.db.session import Database
from app.db.watch import WATCH_EVERY_S, Watch
from app.features import FEATURES
from app.features import demo as demo_page
from app.features.audit import AuditLog, admin_action
from app.features.background import Rest, background
from app.features.console import Console, console_routes
from app.features.content import offered
from app.features.feature import Feature
from app.features.follows import StoredFollows
from app.features.fragments import fragments
from app.features.idempotency import IdempotentCalls
from app.features.keys import KeyUsage, all_ids, find_record
from app.features.restored import restores_noticed
from app.features.services import Services
from app.features.unsent import Unsent
from app.hub.audience import roles
from app.hub.drain import Drain
from app.hub.everywhere import Everywhere
from app.hub.face import wsx
from app.hub.handlers import Handlers
from app.hub.hub import Hub
from app.hub.roster import Condition
from app.hub.sessions import SessionIds
from app.hub.sweeps import sweeping
from app.journal.memory import MemoryJournal
from app.kernel import log
from app.kernel.batches import shown
from app.kernel.deadline import Deadline
from app.kernel.identity import ADMIN_ROLE
from app.kernel.ids import new_node_id
from app.kernel.span import NO_SPAN
from app.monitoring.monitoring import Monitoring
from app.monitoring.storage import WatchedDatabase
from app.monitoring.tracing import TracedHub, Tracing, make_tracing
from app.monitoring.workers import WorkerPlace
from app.settings import Settings, SettingsError
from app.web import openapi
from app.web.answering import Office, answering
from app.web.assets import client_routes
from app.web.conversation import OUTCOMES, Talk
from app.web.docs import docs_routes
from app.web.doors import make_front
from app.web.errors import exception_handlers
from app.web.front import Front
from app.web.health import health_routes
from app.web.metrics import metrics_routes
from app.web.operation import GIVEN
from app.web.options import options_routes
from app.web.router import OwnRouter

ROUTES = [route for feature in FEATURES for route in feature.routes]

TAGS = [
    Tag("Broadcasts", "HTML to an audience, now; nothing is stored."),
    Tag("Announcements", "Stored, and shown by priority until they are recalled."),
    Tag("Notifications", "Stored for named users, on all their tabs."),
    Tag("Rooms", "Who may be where, and who is there."),
    Tag("Messages", "What was said in rooms; edits and removals reach the screens."),
    Tag("Users", "The site's users, as far as this server knows them."),
    Tag("Follows", "Who follows whom. Friends are users who follow each other."),
    Tag("Local events", "To those who are near."),
    Tag("Dashboard", "Figures for admins, live and of the back office."),
    Tag("Maintenance", "To everyone."),
    Tag("Connections", "Who is there now."),
    Tag("Tokens", "Who a page is, for sites that make no tokens of their own."),
    Tag("API keys", "Keys of back-office tools."),
    Tag("Audit", "Who did what, and who was refused."),
]


class Parts(NamedTuple):
    """What one application is made of; built before it starts."""

    settings: Settings
    database: Database
    lineages: Lineages
    watch: Watch
    hub: Hub
    drain: Drain
    tokens: Tokens
    key_ring: KeyRing
    guard: Guard
    key_usage: KeyUsage
    everywhere: Everywhere
    member: Member
    monitoring: Monitoring
    tracing: Tracing


def create_app(settings: Settings, *, demo: bool = False, place: WorkerPlace | None = None) -> Front:
    """The ASGI application. Its database must be migrated; its background work runs between lifespan start-up and shutdown.

    `place`: where it is one of several workers.
    """
    parts = _build(settings, place)
    fragments.replace_from(settings.templates)
    offered.replace_from(settings.templates)
    for module in settings.handlers:
        _import_handlers(module)
    features = (*FEATURES, demo_page.FEATURE) if demo else FEATURES
    handlers = Handlers(first=wsx.handlers)
    services = Services(
        parts.settings,
        parts.database,
        parts.hub,
        parts.tokens,
        everywhere=parts.everywhere,
        lease=parts.member.lease,
        tickets=Tickets(parts.member.once, parts.tokens.revocations),
    )
    for feature in features:
        for name, action in feature.actions.items():
            is_noted = name in feature.admin_actions
            handlers.on(name)(partial(admin_action(name, action) if is_noted else action, services))
    running: set[asyncio.Task[None]] = set()
    outcomes = parts.monitoring.pages.outcomes
    talk = Talk(parts.hub, handlers, settings.socket_rate_per_s, settings.socket_burst, running, set(), outcomes)
    office = _office(parts, services)
    answers = [answering(office)]
    routes: list[OwnRouter | HTTPRouteHandler] = [
        _api_router(answers),
        OwnRouter("/", route_handlers=metrics_routes(parts.monitoring.page), middleware=answers, include_in_schema=False),
        *health_routes(parts.watch, parts.hub, parts.drain),
        *docs_routes(describe),
        *client_routes(),
        *console_routes(services, office),
        *(demo_page.demo_routes(services) if demo else ()),
    ]
    litestar = Litestar(
        routes,
        exception_handlers=exception_handlers,
        lifespan=[lambda _app: _running(parts, features, services, running)],
        openapi_config=None,
        request_max_body_size=settings.max_body_bytes,
        state=State({"settings": settings}),
        logging_config=None,
        plugins=parts.tracing.plugins,
    )
    admission = Admission(parts.tokens, services.tickets)
    console = partial(services.of(Console).in_front_of, routes=litestar.routes)
    count = parts.monitoring.requests.count
    return make_front(settings, litestar, talk, admission, parts.drain.run, count=count, sockets_first=console)


def describe() -> dict[str, Any]:
    """The REST interface as an OpenAPI document."""
    return openapi.document(_api_router(), ROUTES, version=__version__, tags=TAGS)


def _import_handlers(module: str) -> None:
    try:
        importlib.import_module(module)
    except Exception as error:
        passed = {__file__, importlib.__file__}
        inside = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename not in passed]
        inside = [frame for frame in inside if not frame.filename.startswith("<frozen")]
        place = f" ({inside[-1].filename}:{inside[-1].lineno})" if inside else ""
        message = f"WSX_HANDLERS: the module {module} cannot be imported: {type(error).__name__}: {error}{place}"
        raise SettingsError(message) from error


def _build(settings: Settings, place: WorkerPlace | None) -> Parts:
    database = WatchedDatabase(settings.database_url)
    key_usage = KeyUsage(database)
    redis_deadline = Deadline()
    member, tokens = make_member(settings, new_node_id(), redis_deadline), make_tokens(settings)
    tracing = make_tracing(settings, __version__, member.roster.node)

    async def find(key_id: str) -> KeyRecord | None:
        async with database.reading() as session:
            return await find_record(session, key_id)

    async def find_ids() -> frozenset[str]:
        async with database.reading() as session:
            return await all_ids(session)

    key_ring = KeyRing(find, KnownIds(find_ids), admin_key=settings.admin_key, used=key_usage.used)
    journal = make_journal(settings, member.roster.node, redis_deadline)
    if isinstance(journal, MemoryJournal) and isinstance(member.lineages, OwnLineages):
        member.lineages.on_anew = journal.begin_anew
    make_hub = Hub if tracing.span is NO_SPAN else partial(TracedHub, tracing.span)
    hub = make_hub(
        journal,
        outbox_bytes=settings.outbox_bytes,
        outbox_total_bytes=settings.outbox_total_bytes,
        presence_grace_s=settings.presence_grace_s,
        replay_s=settings.replay_s,
        max_message_bytes=settings.max_message_bytes,
        events=wsx.events,
        follows=StoredFollows(database),
        sessions=member.sessions,
        session_ids=SessionIds(member.roster.node, tokens.derived_key("ids of sessions")),
        roster=member.roster,
    )
    database.span = tracing.span
    return Parts(
        settings=settings,
        database=database,
        lineages=member.lineages,
        watch=Watch(database),
        hub=hub,
        drain=Drain(hub, settings.drain_s),
        tokens=tokens,
        key_ring=key_ring,
        guard=Guard(key_ring, Failures(settings.api_rate_per_min), rate_per_min=settings.api_rate_per_min),
        key_usage=key_usage,
        everywhere=Everywhere(hub, member.peers),
        member=member,
        monitoring=Monitoring(hub, member.lease, database, version=__version__, outcomes=OUTCOMES, place=place),
        tracing=tracing,
    )


def _api_router(middleware: Sequence[Middleware] = ()) -> OwnRouter:
    """All operations. `answering` gives their functions what they ask for by name; Litestar wants to know the names."""
    names = {name: Provide(lambda: None, sync_to_thread=False) for name in GIVEN}
    return OwnRouter("/api/v1", route_handlers=[*options_routes(ROUTES), *ROUTES], dependencies=names, middleware=middleware)


def _office(parts: Parts, services: Services) -> Office:
    """What requests of the back office pass, and what functions of operations may ask for by name, beside the caller."""
    given = {"hub": parts.hub, "database": parts.database, "services": services, "key_ring": parts.key_ring}
    return Office(parts.guard, services.of(IdempotentCalls), services.of(AuditLog).note, parts.settings.max_body_bytes, given)


async def _look_on(watch: Watch, rest: Rest) -> None:
    while True:
        await watch.look()
        await rest.sleep(WATCH_EVERY_S)


def _condition(parts: Parts, fingerprint: str) -> Condition:
    admins = len(parts.hub.registry.resolve(roles(ADMIN_ROLE)))
    return Condition(admins, parts.watch.is_there, fingerprint)


@asynccontextmanager
async def _running(
    parts: Parts, features: Sequence[Feature], services: Services, handlers_running: set[asyncio.Task[None]]
) -> AsyncIterator[None]:
    """Everything that lives as long as the application."""
    async with AsyncExitStack() as stack:
        if parts.settings.redis_url:
            stack.enter_context(log.in_all_lines(node=parts.member.roster.node))
        stack.push_async_callback(parts.database.close)
        await stack.enter_async_context(parts.tracing.running())
        await stack.enter_async_context(parts.monitoring.running())
        stack.enter_context(shown(parts.database.writer))
        if parts.settings.redis_url:
            await stack.enter_async_context(background("watch of the database", partial(_look_on, parts.watch)))
        await stack.enter_async_context(restores_noticed(parts.database, parts.lineages))
        await stack.enter_async_context(parts.hub.journal.running())
        wsx.bind(parts.hub)
        stack.callback(wsx.unbind)
        stack.callback(parts.hub.stop)
        await stack.enter_async_context(parts.key_usage.running())
        pushes_again = {what: push for feature in features for what, push in feature.pushes_again.items()}
        await stack.enter_async_context(services.of(Unsent).running(pushes_again))
        for feature in features:
            if feature.running is not None:
                await stack.enter_async_context(feature.running(services))
        hub, settings = parts.hub, parts.settings
        await stack.enter_async_context(sweeping(hub, idle_timeout_s=settings.idle_timeout_s, idle_sweep_s=settings.idle_sweep_s))
        await stack.enter_async_context(parts.member.running(partial(_condition, parts, fingerprint(settings))))
        yield
        await parts.drain.run()  # a server of others did not ask for it
        if running := {*handlers_running, *hub.running}:
            await asyncio.wait(running, timeout=parts.drain.left_s)
