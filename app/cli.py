"""The `wsx` command. An error of the operator's is one line that names what to change; exit 2 for the command line, else 1."""

import argparse
import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec
from alembic.util import CommandError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from app import __version__
from app.auth.keys import Caller
from app.auth.scopes import ADMIN
from app.db import migrate
from app.db.session import Database
from app.features.keys import NewKeyRequest, all_keys, create_key, first_key, revoke_key
from app.kernel import log
from app.kernel.clock import utc_now
from app.kernel.errors import AppError
from app.main import create_app, describe, make_tokens
from app.serving.run import listen, make_server, tune_garbage_collector
from app.settings import Settings, SettingsError
from app.web.asyncapi import describe_socket

OPERATOR = Caller("", "operator", frozenset({ADMIN}))
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
Answer = TypeVar("Answer")


class _Failure(Exception):
    """Something the operator must mend; the text says what."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit."""
    try:
        options = _parser().parse_args(arguments)
        options.run(options)
    except (SettingsError, _Failure) as error:
        _fail(str(error), getattr(error, "status", 2))
    except AppError as error:
        _fail(error.detail, 1)
    except KeyboardInterrupt:
        _fail("stopped", 130)


def _fail(text: str, status: int) -> NoReturn:
    sys.stderr.write(f"wsx: {text}\n")
    sys.exit(status)


def _say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _serve(options: argparse.Namespace) -> None:
    settings = _settings(host=options.host, port=options.port, workers=options.workers)
    if settings.workers > 1:
        message = f"--workers {settings.workers}: more than one process is not served yet; run one, or several behind a proxy"
        raise _Failure(message, 2)
    log.configure(settings.log_format or None)
    _upgrade(settings)
    try:
        listener = listen(settings)
    except OSError as error:
        message = f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; WSX_PORT and WSX_HOST say where"
        raise _Failure(message) from None
    with listener:
        _serve_on(listener, settings, demo=options.demo)


def _serve_on(listener: socket.socket, settings: Settings, *, demo: bool) -> None:
    host, port = listener.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    server = make_server(_application(settings, demo=demo), settings)
    key = None if settings.admin_key else _with_database(settings, first_key)  # last: a failed start must not swallow the key
    _say(f"WSX Server {__version__}")
    _say(f"  address    {address}{'  (demo page: anybody may sign in under any name)' if demo else ''}")
    _say(f"  docs       {address}/docs")
    if key is not None:
        _say(f"  admin key  {key.text}")
        _say("             shown only this once; keep it")
    tune_garbage_collector()
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them again at its end; to be stopped is no failure
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    server.run(sockets=[listener])


def _migrate(_options: argparse.Namespace) -> None:
    _migrated()
    _say("database: up to date")


def _check(_options: argparse.Namespace) -> None:
    settings = _settings()
    _say("settings: ok")

    async def check(database: Database) -> None:
        await database.check()

    _with_database(settings, check)
    _say("database: ok")
    _application(settings)
    _say("handlers and templates: ok")


def _keys_create(options: argparse.Namespace) -> None:
    settings = _migrated()
    expires_at = None if options.expires is None else utc_now() + options.expires
    try:
        wanted = msgspec.convert({"name": options.name, "scopes": options.scope, "expires_at": expires_at}, NewKeyRequest)
    except msgspec.ValidationError as error:
        raise _Failure(str(error), 2) from None

    async def create(database: Database) -> str:
        _, key = await create_key(database, wanted, OPERATOR)
        return key.text

    _say(_with_database(settings, create))
    sys.stderr.write("shown only this once; keep it\n")


def _keys_list(_options: argparse.Namespace) -> None:
    async def rows(database: Database) -> None:
        async with database.reading() as session:
            for row in await all_keys(session):
                state = "revoked" if row.revoked_at else "expired" if row.expires_at and row.expires_at <= utc_now() else "active"
                used = row.last_used_at.isoformat(timespec="seconds") if row.last_used_at else "never used"
                _say(f"{row.key_id}  {state:8}  {used:25}  {' '.join(row.scopes):40}  {row.name}")

    _with_database(_migrated(), rows)


def _keys_revoke(options: argparse.Namespace) -> None:
    async def revoke(database: Database) -> None:
        await revoke_key(database, options.id)

    _with_database(_migrated(), revoke)
    _say(f"{options.id}: revoked")


def _token(options: argparse.Namespace) -> None:
    _say(make_tokens(_settings()).issue(options.user, name=options.name or "", roles=options.role, ttl=options.ttl))


def _openapi(options: argparse.Namespace) -> None:
    folder = Path(options.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, document in (("openapi.json", describe()), ("asyncapi.json", describe_socket())):
            (folder / name).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
            _say(f"{folder / name}: written")
    except OSError as error:
        message = f"{error.filename}: {error.strerror}"
        raise _Failure(message) from None


def _settings(**overrides: object) -> Settings:
    settings = Settings.from_environment(os.environ, **overrides)
    try:
        dialect = make_url(settings.database_url).get_dialect()
        dialect.import_dbapi()
    except (ArgumentError, ImportError) as error:
        message = f"WSX_DATABASE_URL: {error}"
        raise SettingsError(message) from None
    if not dialect.is_async:
        message = "WSX_DATABASE_URL: an asynchronous driver is needed, such as sqlite+aiosqlite:///var/wsx.db"
        raise SettingsError(message)
    return settings


def _application(settings: Settings, *, demo: bool = False) -> Any:
    sys.path.insert(0, str(Path.cwd()))  # the modules of WSX_HANDLERS are looked for here first, as `python -m app` does
    return create_app(settings, demo=demo)


def _migrated() -> Settings:
    settings = _settings()
    _upgrade(settings)
    return settings


def _upgrade(settings: Settings) -> None:
    with _database_errors():
        migrate.upgrade(settings.database_url)


@contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        message = f"the database is of another version than wsx {__version__}, which cannot use it: {error}"
        raise _Failure(message) from None
    except (SQLAlchemyError, OSError) as error:
        message = f"the database cannot be used: {getattr(error, 'orig', error)}"
        raise _Failure(message) from None


def _with_database(settings: Settings, use: Callable[[Database], Coroutine[Any, Any, Answer]]) -> Answer:
    async def run() -> Answer:
        database = Database(settings.database_url)
        try:
            return await use(database)
        finally:
            await database.close()

    with _database_errors():
        return asyncio.run(run())


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None:
        message = f"{text!r}: a number and s, m, h or d is wanted, such as 90d"
        raise argparse.ArgumentTypeError(message)
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wsx", description="HTML to every browser that should see it.")
    parser.add_argument("--version", action="version", version=f"wsx {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="bring the database up to date and serve")
    serve.add_argument("--host", help="address to listen on (WSX_HOST)")
    serve.add_argument("--port", type=int, help="TCP port; 0: any free one (WSX_PORT)")
    serve.add_argument("--workers", type=int, help="processes (WSX_WORKERS)")
    serve.add_argument("--demo", action="store_true", help="also serve the demo page at /")
    serve.set_defaults(run=_serve)

    commands.add_parser("migrate", help="bring the database up to date").set_defaults(run=_migrate)
    commands.add_parser("check", help="read every setting and open the database").set_defaults(run=_check)

    keys = commands.add_parser("keys", help="API keys of back-office tools").add_subparsers(required=True, metavar="ACTION")
    create = keys.add_parser("create", help="make a key; its secret is shown once")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--scope", action="append", required=True, metavar="S", help="may be given several times")
    create.add_argument("--expires", type=_duration, metavar="90d")
    create.set_defaults(run=_keys_create)
    keys.add_parser("list", help="all keys").set_defaults(run=_keys_list)
    revoke = keys.add_parser("revoke", help="revoke a key for ever")
    revoke.add_argument("id", metavar="ID")
    revoke.set_defaults(run=_keys_revoke)

    token = commands.add_parser("token", help="print a connection token for a browser")
    token.add_argument("user", metavar="USER")
    token.add_argument("--name", help="what other people see")
    token.add_argument("--role", action="append", default=[], help="may be given several times")
    token.add_argument("--ttl", type=_duration, default=timedelta(hours=1), metavar="1h")
    token.set_defaults(run=_token)

    openapi = commands.add_parser("openapi", help="rewrite openapi.json and asyncapi.json from the code")
    openapi.add_argument("--folder", default="openapi")
    openapi.set_defaults(run=_openapi)
    return parser
