"""`wsx serve`: in this process, or in several that this one watches over."""

import argparse
import asyncio
import os
import signal
import socket
import sys
from contextlib import ExitStack
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from app import __version__
from app.auth.keys import NewKey
from app.auth.scopes import ADMIN
from app.cli.console import Failure, fail, read_settings, say, upgrade, with_database
from app.cli.needs import check_redis_at_start, check_room_for_workers
from app.cli.signals import OVERTIME_S, stopped_by_signals
from app.db.session import Database
from app.features.audit import by_command, record
from app.features.keys import first_key
from app.kernel import log
from app.main import create_app
from app.monitoring.workers import MAX_FOLDER_BYTES, WorkerPlace
from app.serving.run import listen, listen_for_workers, make_server, take_all_descriptors, tune_garbage_collector
from app.serving.workers import READY, Supervisor
from app.settings import Settings, SettingsError

KILLS_AFTER_S = OVERTIME_S + 1.0
"""Seconds behind the drain time: a worker cuts itself off a second before."""


def serve(options: argparse.Namespace) -> None:
    settings = read_settings(host=options.host, port=options.port, workers=options.workers)
    log.configure(settings.log_format or None)
    check_redis_at_start(settings)
    take_all_descriptors()
    upgrade(settings)
    check_room_for_workers(settings)
    try:
        listeners = listen_for_workers(settings, settings.workers) if settings.workers > 1 else [listen(settings)]
    except OSError as error:
        message = f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; WSX_PORT and WSX_HOST say where"
        raise Failure(message) from None
    with ExitStack() as stack:
        for listener in listeners:
            stack.enter_context(listener)
        if settings.workers == 1:
            _serve_alone(listeners[0], settings, demo=options.demo)
        else:
            folder = Path(stack.enter_context(_folder_for_sockets()))
            if status := asyncio.run(_supervise(listeners, settings, folder, demo=options.demo)):
                sys.exit(status)
    say("stopped")


def _folder_for_sockets() -> TemporaryDirectory[str]:
    """Which nobody else may enter."""
    folder = TemporaryDirectory(prefix="wsx-")
    if len(os.fsencode(folder.name)) > MAX_FOLDER_BYTES:
        folder.cleanup()
        message = f"TMPDIR: {Path(folder.name).parent} is too long a path for the sockets by which workers ask each other"
        raise Failure(message)
    return folder


def application(settings: Settings, *, demo: bool = False, place: WorkerPlace | None = None) -> Any:
    sys.path.insert(0, str(Path.cwd()))  # the modules of WSX_HANDLERS are looked for here first, as `python -m app` does
    return create_app(settings, demo=demo, place=place)


def _serve_alone(listener: socket.socket, settings: Settings, *, demo: bool) -> None:
    server = make_server(application(settings, demo=demo), settings)
    _greet(listener, settings, demo=demo)  # last: a failed start must not swallow the key
    tune_garbage_collector()
    with stopped_by_signals(server, settings.drain_s):
        server.run(sockets=[listener])


def _greet(listener: socket.socket, settings: Settings, *, demo: bool) -> None:
    host, port = listener.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    key = None if settings.admin_key else with_database(settings, _make_first_key)
    say(f"WSX Server {__version__}")
    say(f"  address    {address}{'  (demo page: anybody may sign in under any name)' if demo else ''}")
    say(f"  console    {address}/console")
    say(f"  docs       {address}/docs")
    if settings.workers > 1:
        say(f"  workers    {settings.workers}")
    if key is not None:
        say(f"  admin key  {key.text}")
        say("             shown only this once; keep it")


async def _make_first_key(database: Database) -> NewKey | None:
    async with database.transaction() as session:
        key = await first_key(session)
        if key is not None:
            await record(session, by_command("first key", {"id": key.id, "scopes": ADMIN}))
    return key


async def _supervise(listeners: list[socket.socket], settings: Settings, folder: Path, *, demo: bool) -> int:
    """`folder`: of the sockets by which workers ask each other."""
    serves = asyncio.Event()
    work = partial(_work, settings=settings, folder=folder, demo=demo)
    supervisor = Supervisor(work, listeners, stop_within_s=settings.drain_s + KILLS_AFTER_S, ready=serves.set)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, supervisor.stop)

    async def greet() -> None:
        await serves.wait()
        await asyncio.to_thread(_greet, listeners[0], settings, demo=demo)

    greeting = asyncio.create_task(greet())
    try:
        return await supervisor.run()
    finally:
        greeting.cancel()
        await asyncio.gather(greeting, return_exceptions=True)


def _work(number: int, listener: socket.socket, pipe: Connection, *, settings: Settings, folder: Path, demo: bool) -> None:
    """A worker, in its own process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal: the supervisor says when
    log.configure(settings.log_format or None)
    try:
        app = application(settings, demo=demo, place=WorkerPlace(number, settings.workers, folder))
        server = make_server(app, settings, started=partial(pipe.send_bytes, READY))
    except (SettingsError, Failure) as error:
        fail(str(error), getattr(error, "status", 2))
    tune_garbage_collector()
    with listener, log.in_all_lines(worker=str(number)), stopped_by_signals(server, settings.drain_s, is_supervised=True):
        Thread(target=_stop_with_the_supervisor, args=(pipe,), daemon=True).start()
        server.run(sockets=[listener])


def _stop_with_the_supervisor(pipe: Connection) -> None:
    """Wait until the other end of the pipe is gone: nothing ever comes through it."""
    pipe.poll(None)
    os.kill(os.getpid(), signal.SIGTERM)
