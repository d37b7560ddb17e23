"""Commands that run the server, prepare it, or describe it."""

import argparse
import json
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec

from app import __version__
from app.auth.tokens import SECRET_FILE
from app.cli.console import Failure, migrated, missing_file, read_settings, say, upgrade, with_database
from app.cli.signals import stopped_by_signals
from app.db.session import Database
from app.features.keys import first_key
from app.kernel import log
from app.main import create_app, describe, state_folder
from app.serving.run import listen, make_server, tune_garbage_collector
from app.settings import MIN_SECRET_CHARS, Settings
from app.web.asyncapi import describe_socket


def serve(options: argparse.Namespace) -> None:
    settings = read_settings(host=options.host, port=options.port, workers=options.workers)
    log.configure(settings.log_format or None)
    upgrade(settings)
    try:
        listener = listen(settings)
    except OSError as error:
        message = f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; WSX_PORT and WSX_HOST say where"
        raise Failure(message) from None
    with listener:
        _serve_on(listener, settings, demo=options.demo)


def _serve_on(listener: socket.socket, settings: Settings, *, demo: bool) -> None:
    host, port = listener.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    server = make_server(_application(settings, demo=demo), settings)
    key = None if settings.admin_key else with_database(settings, first_key)  # last: a failed start must not swallow the key
    say(f"WSX Server {__version__}")
    say(f"  address    {address}{'  (demo page: anybody may sign in under any name)' if demo else ''}")
    say(f"  docs       {address}/docs")
    if key is not None:
        say(f"  admin key  {key.text}")
        say("             shown only this once; keep it")
    tune_garbage_collector()
    with stopped_by_signals(server, settings.drain_s):
        server.run(sockets=[listener])
    say("stopped")


def migrate(_options: argparse.Namespace) -> None:
    migrated()
    say("database: up to date")


def check(_options: argparse.Namespace) -> None:
    settings = read_settings()
    say("settings: ok")

    async def look(database: Database) -> None:
        await database.check()

    if missing_file(settings) is None:
        with_database(settings, look)
        say("database: ok")
    else:
        say("database: not there yet; `wsx serve` makes it")
    if not settings.token_secret and not (state_folder(settings) / SECRET_FILE).exists():
        settings = msgspec.structs.replace(settings, token_secret="-" * MIN_SECRET_CHARS)  # else it would be made now
    _application(settings)
    say("handlers and templates: ok")


def openapi(options: argparse.Namespace) -> None:
    folder = Path(options.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, document in (("openapi.json", describe()), ("asyncapi.json", describe_socket())):
            (folder / name).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
            say(f"{folder / name}: written")
    except OSError as error:
        message = f"{error.filename}: {error.strerror}"
        raise Failure(message) from None


def _application(settings: Settings, *, demo: bool = False) -> Any:
    sys.path.insert(0, str(Path.cwd()))  # the modules of WSX_HANDLERS are looked for here first, as `python -m app` does
    return create_app(settings, demo=demo)
