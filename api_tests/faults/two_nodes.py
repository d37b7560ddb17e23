"""Two processes of `wsx serve`, each on a port that stays its own, which are killed and started again."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from api_tests.cli.command import PROGRAM, Operator, Serving
from api_tests.server import ADMIN_KEY, SECRET
from api_tests.waiting import MS, SOON_S
from app.kernel.clock import monotonic

PLENTY = "1000000"
"""Limits of rates: the load is of many people, and comes from few."""


class Node:
    """One of the two."""

    def __init__(self, folder: Path, settings: dict[str, str], program: tuple[str, ...]) -> None:
        folder.mkdir(exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder
        self._settings = settings | {"port": str(port)}
        self._program = program
        self._running = AsyncExitStack()
        self._serving: Serving | None = None

    async def start(self, *arguments: str) -> float:
        """Start it; in how many seconds it was ready. `arguments`: of `wsx serve`."""
        began = monotonic()
        serves = Operator(self.folder).serves(*arguments, program=self._program, **self._settings)
        self._serving = await self._running.enter_async_context(serves)
        async with httpx.AsyncClient(base_url=self.url, timeout=SOON_S) as client, asyncio.timeout(SOON_S):
            while True:
                if HTTPStatus.OK == (await client.get("/health/ready")).status_code:
                    return monotonic() - began
                await asyncio.sleep(10 * MS)

    async def stop(self) -> None:
        """As by a deploy: SIGTERM; returns when it has ended well."""
        assert self._serving is not None
        assert 0 == await self._serving.end()
        await self._running.aclose()

    async def kill(self) -> None:
        """As by SIGKILL; returns when it is gone."""
        await self._running.aclose()

    async def until_journal_is(self, state: str) -> dict[str, Any]:
        """What `/health/ready` says, as soon as the journal is in this state."""
        async with httpx.AsyncClient(base_url=self.url, timeout=SOON_S) as client, asyncio.timeout(SOON_S):
            while True:
                told: dict[str, Any] = (await client.get("/health/ready")).json()
                if told["parts"]["journal"] == state:
                    return told
                await asyncio.sleep(10 * MS)


@asynccontextmanager
async def two_nodes(
    folder: Path,
    database_url: str,
    *redis_urls: str,
    arguments: Sequence[str] = (),
    program: tuple[str, ...] = PROGRAM,
    **settings: str,
) -> AsyncIterator[list[Node]]:
    """Both are ready. `redis_urls`: one for both, or one for each. `arguments`: of `wsx serve`.

    `program`: what is started as `wsx`.
    """
    common = {
        "database_url": database_url,
        "token_secret": SECRET,
        "admin_key": ADMIN_KEY,
        "log_format": "json",
        "socket_rate_per_s": PLENTY,
        "socket_burst": PLENTY,
    }
    urls = redis_urls * (2 // len(redis_urls))
    nodes = [Node(folder / name, common | {"redis_url": url} | settings, program) for name, url in zip("ab", urls, strict=True)]
    try:
        await asyncio.gather(*(node.start(*arguments) for node in nodes))
        yield nodes
    finally:
        await asyncio.gather(*(node.kill() for node in nodes))
