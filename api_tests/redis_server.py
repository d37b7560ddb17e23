"""A real Redis of one test, which may be stopped, held still, and come back with what it had or empty."""

import asyncio
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from api_tests.missing import missing
from api_tests.waiting import MS, SOON_S

PROGRAMS = ("redis-server", "valkey-server")


class RedisServer:
    """On a free port of the loopback, always the same one. What it is told is on disk before it answers."""

    def __init__(self, program: str, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = Redis.from_url(self.url)
        """To look inside."""
        self._program = program
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """With what it had; returns when it answers."""
        self._folder.mkdir(exist_ok=True)
        self._process = await asyncio.create_subprocess_exec(
            *(self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
            *("--save", "", "--appendonly", "yes", "--appendfsync", "no"),  # written, and not lost with the process
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(SOON_S):
            while True:
                assert self._process.returncode is None, "Redis ended by itself"
                try:
                    await self.client.ping()
                except (RedisError, OSError):
                    await asyncio.sleep(2 * MS)
                else:
                    return

    async def stop(self) -> None:
        """Gone, as by a power cut: its clients see their connections end."""
        self.resume()
        await self.client.aclose()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def restart(self) -> None:
        """Gone, and back with all that it had."""
        await self.stop()
        await self.start()

    async def restart_empty(self) -> None:
        """Gone, and back with nothing."""
        await self.stop()
        self.empty()
        await self.start()

    def empty(self) -> None:
        """What it had is gone; it must be stopped."""
        shutil.rmtree(self._folder)

    def pause(self) -> None:
        """It takes connections and commands, and answers none of them."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on, with all that it was told meanwhile."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)


@asynccontextmanager
async def run_redis(folder: Path) -> AsyncIterator[RedisServer]:
    """A running one; it is gone at the end of the block."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        missing("redis-server is missing (on Debian: apt install redis-server)")
    server = RedisServer(program, folder)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
