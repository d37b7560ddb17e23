"""A page of the docs as a site has it: its files, its server, and the commands to run, each in a process of its own."""

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from api_tests.server import ADMIN_KEY

ROOT = Path(__file__).parents[2]
STARTS_WITHIN_S = 30.0
SETTING = re.compile(r"[A-Z_]+=")


class Site(NamedTuple):
    """Two servers that run: the product, and the site's own."""

    server: str
    page: str
    blocks: dict[str, list[str]]
    """What the page of the docs shows, by language, with the ports that the servers have here."""


def blocks_of(text: str) -> dict[str, list[str]]:
    """The examples of a page of the docs by language."""
    found: dict[str, list[str]] = {}
    for language, block in re.findall(r"^ *```(\w+)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        found.setdefault(language, []).append(block)
    return found


@asynccontextmanager
async def serving(docs: str, name: str, folder: Path) -> AsyncIterator[Site]:
    """`site/NAME.html` and `NAME.py` are the first examples of a page of the docs; its commands serve them."""
    ports = {shown: free_port() for shown in ("8000", "9000")}
    blocks = blocks_of(re.sub(r"(?<![0-9])[89]000(?![0-9])", lambda shown: ports[shown[0]], docs))
    (folder / "site").mkdir()
    (folder / "site" / f"{name}.html").write_text(blocks["html"][0])
    (folder / f"{name}.py").write_text(blocks["python"][0])
    commands = [line for text in blocks["sh"] for line in text.splitlines() if re.search(r"wsx serve|http\.server", line)]
    settings = {
        "WSX_ADMIN_KEY": ADMIN_KEY,
        "WSX_PORT": ports["8000"],
        "WSX_DRAIN_S": "1",
        "WSX_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'wsx.db'}",
    }
    running = [await start(command, folder, settings) for command in commands]
    site = Site(f"http://127.0.0.1:{ports['8000']}", f"http://127.0.0.1:{ports['9000']}/{name}.html", blocks)
    try:
        for url in (f"{site.server}/health/ready", site.page):
            await until_answered(url)
        yield site
    finally:
        for process in running:
            process.terminate()
        for process in running:
            await process.wait()


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


async def start(command: str, folder: Path, settings: dict[str, str]) -> asyncio.subprocess.Process:
    """A command as the docs show it, with this environment's programs."""
    programs = {".venv/bin/wsx": f"{Path(sys.executable).parent}/wsx", "python3": sys.executable}
    words = [programs.get(word, word) for word in command.partition(" #")[0].split()]
    given = dict(word.split("=", 1) for word in words if SETTING.match(word))
    return await asyncio.create_subprocess_exec(
        *(word for word in words if not SETTING.match(word)),
        cwd=folder,
        env={"PATH": "/usr/bin:/bin"} | settings | given,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def until_answered(url: str) -> None:
    async with asyncio.timeout(STARTS_WITHIN_S), httpx.AsyncClient() as client:
        while True:
            try:
                if (await client.get(url)).is_success:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)


async def shell(commands: str, **environment: str) -> str:
    """What commands print that somebody pastes into a shell; each must succeed."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-eu", "-o", "pipefail", "-c", commands),
        env={"PATH": "/usr/bin:/bin"} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert 0 == process.returncode, output.decode()
    return output.decode()
