"""A real Prometheus of one test, which scrapes one server as often as it can."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from api_tests.missing import missing
from api_tests.waiting import SOON_S, eventually_told

INTERVAL = "500ms"
"""Also the time within which the server has to answer: a busy machine may miss some."""


def program(name: str) -> str:
    return shutil.which(name) or missing(f"{name} is missing: apt install prometheus")


class Prometheus:
    """Answers questions about what it has seen."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, expression: str) -> list[Any]:
        """The samples of an expression, now."""
        answer = (await self._client.get("/api/v1/query", params={"query": expression})).json()
        assert "success" == answer["status"], answer
        result: list[Any] = answer["data"]["result"]
        return result


def configured(folder: Path, page: Path, target: str, key: str) -> Path:
    """The file that the docs show, with this target and this key."""
    file = yaml.safe_load(page.read_text())
    (job,) = file["scrape_configs"]
    (folder / "wsx.key").write_text(f"{key}\n")
    job["authorization"]["credentials_file"] = str(folder / "wsx.key")
    job["scrape_interval"] = job["scrape_timeout"] = INTERVAL
    job["static_configs"] = [{"targets": [target]}]
    file["rule_files"] = [str(page.parent / "alerts.yml")]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(file))
    return path


@asynccontextmanager
async def run_prometheus(folder: Path, config: Path) -> AsyncIterator[Prometheus]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        program("prometheus"),
        *(f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=SOON_S) as client:

        async def is_ready() -> bool:
            assert process.returncode is None, "Prometheus ended by itself"
            try:
                return (await client.get("/-/ready")).is_success
            except httpx.TransportError:
                return False

        try:
            await eventually_told(is_ready)
            yield Prometheus(client)
        finally:
            process.kill()
            await process.wait()
