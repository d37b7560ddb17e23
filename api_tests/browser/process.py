"""The product as its users start it: a process of its own, which a test may kill."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any, Self

import httpx

from api_tests.server import ADMIN_KEY, SECRET

STARTS_WITHIN_S = 30.0


class Process:
    """`wsx serve --demo` on a free port with a database of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("WSX_")} | {
            "WSX_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'wsx.db'}",
            "WSX_PORT": str(self.port),
            "WSX_ADMIN_KEY": ADMIN_KEY,
            "WSX_API_RATE_PER_MIN": "1000000",
            "WSX_TOKEN_SECRET": SECRET,
        }
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app", "serve", "--demo"),
            env=self._environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(STARTS_WITHIN_S), httpx.AsyncClient(base_url=self.url) as client:
            while True:
                assert self._process.returncode is None, "it ended by itself"
                try:
                    if (await client.get("/health/ready")).status_code == 200:
                        return
                except httpx.TransportError:
                    await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """As a deploy does: SIGTERM, and wait for its end."""
        if self._process is not None:
            self._process.terminate()
            assert 0 == await self._process.wait()

    async def kill(self) -> None:
        """As a power cut would: SIGKILL."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    async def curl(self, path: str, body: str) -> Any:
        """What a back-office script does; returns the answer's text."""
        process = await asyncio.create_subprocess_exec(
            *("curl", "--silent", "--show-error", "--fail-with-body", f"{self.url}/api/v1{path}"),
            *("--header", f"Authorization: Bearer {ADMIN_KEY}", "--header", "Content-Type: application/json", "--data", body),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        assert 0 == process.returncode, output.decode()
        return output.decode()
