"""Whether those who will say nothing more are gone: from what the server counts, from its descriptors, and from the kernel."""

import asyncio
import sys

from api_tests.abuse.victim import Victim
from api_tests.client import ApiClient
from api_tests.server import ADMIN_KEY
from api_tests.waiting import MS, eventually_told
from app.kernel.clock import monotonic

LOOKS_EVERY_S = 100 * MS
"""The server is asked no oftener: whoever else uses it is measured meanwhile."""


async def until_counted(victim: Victim, connections: int, within: float) -> None:
    """Return when the server counts just so many. Raises TimeoutError."""
    async with ApiClient(victim.url, ADMIN_KEY) as api:

        async def are_counted() -> bool:
            return connections == (await api.get("/connections/count")).json()["connections"]

        await eventually_told(are_counted, within, every_s=LOOKS_EVERY_S)


async def gone_s(victim: Victim, sockets_before: int, stay: int, within: float, *, callers: int = 0) -> tuple[float, float]:
    """Seconds until the server counts only those who stay, and until process and kernel have no others. Raises TimeoutError.

    `callers`: connections of callers of the REST interface that were made since `sockets_before`, and stay as well.
    """
    began = monotonic()
    await until_counted(victim, stay, within)
    uncounted_s = monotonic() - began
    await _until_closed(victim, sockets_before + callers, stay + callers, within - uncounted_s)
    return uncounted_s, monotonic() - began


async def _until_closed(victim: Victim, sockets: int, connections: int, within: float) -> None:
    wanted = map(str, (victim.pid, victim.port, sockets, connections))
    looking = await asyncio.create_subprocess_exec(sys.executable, "-m", "api_tests.abuse.sockets", *wanted)
    try:
        async with asyncio.timeout(within):
            assert 0 == await looking.wait()
    except TimeoutError as error:
        message = "process and kernel have not let go of them in time"
        raise TimeoutError(message) from error
    finally:
        if looking.returncode is None:
            looking.kill()
            await looking.wait()
