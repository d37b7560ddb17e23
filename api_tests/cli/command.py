"""The command as an operator starts it: a process of its own, in a folder of its own."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import httpx

from api_tests.waiting import eventually

STARTS_WITHIN_S = 30.0
ENDS_WITHIN_S = 30.0
PLENTY = "1000000"
"""Requests a minute: tests ask as fast as they can."""
PROGRAM = (sys.executable, "-m", "app")
KEY = re.compile(r"wsx_[0-9A-Za-z]{12}_[0-9A-Za-z]{39}")


class Outcome(NamedTuple):
    """What became of a command."""

    status: int
    out: str
    err: str


class Serving:
    """A `wsx serve` that answers; what it prints goes to files in the folder."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.process = process
        self._folder = folder

    @property
    def out(self) -> str:
        return (self._folder / "serve.out").read_text()

    @property
    def err(self) -> str:
        return (self._folder / "serve.err").read_text()

    @property
    def url(self) -> str:
        return re.search(r"address\s+(http://\S+)\n", self.out.replace("  (", "\n"))[1]

    @property
    def keys(self) -> list[str]:
        """The keys that it printed."""
        return KEY.findall(self.out)

    async def answers(self) -> None:
        """Wait until it says where it is, and answers there."""
        await eventually(lambda: "/docs\n" in self.out or self.process.returncode is not None, STARTS_WITHIN_S)
        assert self.process.returncode is None, self.err
        async with httpx.AsyncClient(base_url=self.url, timeout=STARTS_WITHIN_S) as client:
            assert HTTPStatus.OK == (await client.get("/health/live")).status_code

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Send the signal; the exit status."""
        self.process.send_signal(number)
        async with asyncio.timeout(ENDS_WITHIN_S):
            return await self.process.wait()


class Operator:
    """Somebody in a folder, with just these settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "var" / "wsx.db"

    def environment(self, **settings: str) -> dict[str, str]:
        """The settings by their names without `WSX_`, in lower case."""
        others = {name: value for name, value in os.environ.items() if not name.startswith("WSX_")}
        given = {
            "database_url": f"sqlite+aiosqlite:///{self.database}",
            "port": "0",
            "drain_s": "2",
            "api_rate_per_min": PLENTY,
        } | settings
        return others | {f"WSX_{name.upper()}": value for name, value in given.items()}

    def runs(self, *arguments: str, program: tuple[str, ...] = PROGRAM, **settings: str) -> Outcome:
        """Run a command to its end."""
        done = subprocess.run(
            (*program, *arguments),
            cwd=self.folder,
            env=self.environment(**settings),
            capture_output=True,
            text=True,
            timeout=STARTS_WITHIN_S,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    @asynccontextmanager
    async def serves(self, *arguments: str, program: tuple[str, ...] = PROGRAM, **settings: str) -> AsyncIterator[Serving]:
        """`wsx serve`, for as long as the block; killed at its end if it still runs."""
        with (self.folder / "serve.out").open("w") as out, (self.folder / "serve.err").open("w") as err:
            process = await asyncio.create_subprocess_exec(
                *program, "serve", *arguments, cwd=self.folder, env=self.environment(**settings), stdout=out, stderr=err
            )
        serving = Serving(process, self.folder)
        try:
            await serving.answers()
            yield serving
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
