"""A real PostgreSQL: a cluster in a folder of its own, on a free port of loopback, run by an ordinary user; ends with the tests."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg

from api_tests.missing import missing
from api_tests.waiting import MS, SOON_S
from app.db import migrate

SECRET = "sesame"
"""The password in each URL. The server believes everybody; the tests look for it where it must not be."""
TEMPLATE = "migrated"
_GUARDED = 'postgres "$@" >log 2>&1 & echo $!; cat >/dev/null; kill -QUIT $! 2>/dev/null; wait'
"""The server ends when our end of the pipe is closed, also by a death of ours."""


class Postgres:
    """One cluster. `durable`: it writes to the disk what it commits, which takes its time."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self._folder = folder
        self._settings = {"fsync": "on" if durable else "off", "full_page_writes": "on" if durable else "off"}
        self._names = (f"test_{number}" for number in count())
        self._guard: subprocess.Popen[str] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.run("initdb", "-D", "data", "--auth=trust", "--username=wsx", "--encoding=UTF8", "--no-sync", *_language())

    def start(self) -> None:
        """Start, and wait until it answers."""
        where = {"port": str(self.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        options = [f"--{name}={value}" for name, value in (where | self._settings).items()]
        command = ["sh", "-c", _GUARDED, "sh", "-D", "data", *options]
        self._guard = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **self._how())
        self.pid = int(self._guard.stdout.readline())
        until = time.monotonic() + SOON_S
        while not self._answers():
            if time.monotonic() > until or self._guard.poll() is not None:
                message = f"PostgreSQL does not start: {(self._folder / 'log').read_text()}"
                raise RuntimeError(message)
            time.sleep(5 * MS)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """SIGQUIT: at once, as by a power cut, to be recovered at its next start; SIGINT: it says goodbye to everybody first."""
        if self._guard is not None:
            os.kill(self.pid, how)
            while Path(f"/proc/{self.pid}").exists() and not _is_dead(self.pid):
                time.sleep(MS)
            self._guard.communicate()
            self._guard = None

    def freeze(self) -> None:
        """All its processes stand still; its connections stay open."""
        for pid in (self.pid, *_children(self.pid)):
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """They go on."""
        for pid in (*_children(self.pid), self.pid):
            os.kill(pid, signal.SIGCONT)

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://wsx:{SECRET}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The URL of an empty database, which is dropped afterwards."""
        with self._database("template0") as url:
            yield url

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """The URL of a database with all tables, which is dropped afterwards."""
        if not query(self.url("postgres"), "SELECT 1 FROM pg_database WHERE datname = $1", TEMPLATE):
            query(self.url("postgres"), f"CREATE DATABASE {TEMPLATE}")
            in_a_thread(asyncio.to_thread(migrate.upgrade, self.url(TEMPLATE)))
        with self._database(TEMPLATE) as url:
            yield url

    @contextmanager
    def _database(self, template: str) -> Iterator[str]:
        name = next(self._names)
        query(self.url("postgres"), f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self.url(name)
        if self._guard is not None:  # who stopped it wanted no more
            query(self.url("postgres"), f"DROP DATABASE {name} WITH (FORCE)")

    def run(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._how())
        assert 0 == done.returncode, done.stderr

    def _answers(self) -> bool:
        try:
            query(self.url("postgres"), "SELECT 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    def _how(self) -> dict[str, Any]:
        """Where and as whom: the server refuses to run as root."""
        environment = {"PATH": f"{_programs()}:{os.environ['PATH']}", "LC_ALL": "C"}
        how: dict[str, Any] = {"cwd": self._folder, "env": environment}
        if (account := _account()) is not None:
            how |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        return how


@contextmanager
def run_postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """A cluster that answers, for as long as the block. Says what is missing where it cannot be had."""
    if _programs() is None:
        missing("PostgreSQL is missing: apt install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="wsx-postgresql-"))
    if (account := _account()) is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    try:
        server = Postgres(folder, durable=durable)
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder)


def query(url: str, statement: str, *values: object) -> list[tuple[object, ...]]:
    """What the statement returns, past all of our code. Blocks; the loop of the test may run."""

    async def ask() -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(plain(url))
        try:
            return [tuple(row) for row in await connection.fetch(statement, *values)]
        finally:
            await connection.close()

    return in_a_thread(ask())


def plain(url: str) -> str:
    """The URL as the driver itself takes it."""
    return url.replace("+asyncpg", "")


def in_a_thread(work: Coroutine[Any, Any, Any]) -> Any:
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def _programs() -> Path | None:
    """The folder of the server's programs. Debian keeps them out of the PATH."""
    found = shutil.which("initdb")
    folders = (
        [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: int(one.parent.name))
    )
    return folders[-1] if folders else None


def _account() -> pwd.struct_passwd | None:
    """Whose the server is, when the tests run as root; None: ours."""
    if os.geteuid() != 0:
        return None
    names = {account.pw_name: account for account in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _language() -> list[str]:
    """One whose words sort otherwise than their characters' numbers, as on most servers; where this PostgreSQL knows any."""
    told = subprocess.run([f"{_programs()}/initdb", "--help"], capture_output=True, text=True, check=True).stdout
    return ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C"] if "--icu-locale" in told else ["--no-locale"]


def _children(pid: int) -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _stat(path)[1:2] == [str(pid)]]


def _is_dead(pid: int) -> bool:
    """Dead, and not yet buried by its parent."""
    return _stat(Path(f"/proc/{pid}"))[:1] in ([], ["Z"])


def _stat(process: Path) -> list[str]:
    """State, parent, and so on; nothing when it is gone."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
