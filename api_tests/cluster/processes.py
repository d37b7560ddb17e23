"""Two processes of `wsx serve` on one Redis and one database."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from api_tests.cli.command import Operator, Serving
from api_tests.client import ApiClient, SocketClient
from api_tests.server import ADMIN_KEY, SECRET
from api_tests.waiting import MS, SOON_S, eventually
from app.auth.tokens import Tokens


class Process:
    """One of the two."""

    def __init__(self, serving: Serving, api: ApiClient) -> None:
        self.serving = serving
        self.api = api

    @property
    def name(self) -> str:
        """Of the node, as in its log."""
        return re.search(r'"node":"(\w+)"', self.serving.err)[1]

    async def knows(self, nodes: Sequence["Process"]) -> None:
        """Return when it knows that all of these live."""
        async with asyncio.timeout(SOON_S):
            while True:
                metrics = await self.api.http.get("/metrics")
                if f"wsx_nodes {len(nodes)}.0" in metrics.text:
                    return
                await asyncio.sleep(10 * MS)

    def socket(self, user_id: str | None, *roles: str, **how: Any) -> SocketClient:
        token = token_of(user_id, *roles) if user_id is not None else None
        return SocketClient(self.serving.url.replace("http", "ws"), token=token, **how)

    async def connections(self, query: str = "") -> list[str]:
        page = (await self.api.get(f"/connections?{query}")).json()
        assert [] == page["incomplete"]
        return [item["id"] for item in page["items"]]

    async def hangs(self) -> None:
        """Hold it still; returns when it is."""
        process = self.serving.process
        process.send_signal(signal.SIGSTOP)
        await eventually(lambda: "T" == Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2][0])

    def goes_on(self) -> None:
        self.serving.process.send_signal(signal.SIGCONT)


def token_of(user_id: str, *roles: str) -> str:
    """A connection token that both believe."""
    return Tokens(SECRET, audience="wsx").issue(user_id, name=user_id.title(), roles=roles, ttl=timedelta(days=1))


@asynccontextmanager
async def two_processes(folder: Path, redis_url: str, **more: str) -> AsyncIterator[list[Process]]:
    """Both of them answer."""
    settings = {
        "database_url": f"sqlite+aiosqlite:///{folder / 'both.db'}",
        "redis_url": redis_url,
        "token_secret": SECRET,
        "admin_key": ADMIN_KEY,
        "log_format": "json",
        "presence_grace_s": "0.2",
    } | more
    async with AsyncExitStack() as stack:
        processes = []
        for name in ("a", "b"):
            (folder / name).mkdir()
            serving = await stack.enter_async_context(Operator(folder / name).serves(**settings))
            api = await stack.enter_async_context(ApiClient(serving.url, ADMIN_KEY))
            processes.append(Process(serving, api))
        for process in processes:
            await process.knows(processes)
        yield processes
