"""Schemathesis plays callers who do what the document allows, and all that it forbids, with the keys of two identities."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from api_tests.abuse.test_floods import complaints
from api_tests.abuse.victim import IS_LONG, Victim
from api_tests.client import ApiClient
from api_tests.faults.two_nodes import PLENTY
from api_tests.server import ADMIN_KEY
from app.settings import Settings

HERE = Path(__file__).parent
CONFIG = (HERE / "schemathesis.toml").read_text()
EXAMPLES = {"fuzzing": 100, "stateful": 200} if IS_LONG else {"fuzzing": 1, "stateful": 10}
"""By phase: of each call, and of sequences of calls. The other phases have a number of their own."""
NARROW = ("rooms:read", "users:read")
"""What the second identity may do."""
RUNS_WITHIN_S = 1_200.0
SETTINGS = {field.name: PLENTY for field in msgspec.structs.fields(Settings) if "_rate_per_" in field.name}
"""It makes thousands of calls a minute, and is to hear something else than 429."""


async def runs(url: str, key: str, scopes: str, folder: Path) -> tuple[int | None, str]:
    """Exit status and output of one run."""
    amounts = "".join(f"\n[phases.{phase}.generation]\nmax-examples = {count}\n" for phase, count in EXAMPLES.items())
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG + amounts)
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "api_tests.abuse.beyond_scope", "KEY_SCOPES": scopes}
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run", f"{url}/openapi.json"),
        *("--header", f"Authorization: Bearer {key}"),
        cwd=folder,
        env={**environment, "PYTHONPATH": str(HERE.parent.parent)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(RUNS_WITHIN_S):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, output.decode()


@pytest.mark.timeout(RUNS_WITHIN_S)
@pytest.mark.parametrize("scopes", ["admin", " ".join(NARROW)], ids=["all scopes", "few scopes"])
async def test_whatever_is_called_is_answered_as_the_document_says(
    server_under_abuse: Victim, scopes: str, tmp_path: Path, report: Callable[[str], None]
) -> None:
    victim = server_under_abuse
    async with ApiClient(victim.url, ADMIN_KEY) as api:
        key = await api.key_with(*scopes.split())
    log_before = len(victim.log)
    status, output = await runs(victim.url, key, scopes, tmp_path)
    report("\n".join(line for line in output.splitlines() if "generated" in line or "(in " in line))
    assert 0 == status, output
    assert [] == complaints(victim.log[log_before:])
