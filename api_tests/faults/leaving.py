"""Whether those who will say nothing more are gone: from what the server counts, from its descriptors, and from the kernel."""

from pathlib import Path

from api_tests.abuse.victim import Victim
from api_tests.client import ApiClient
from api_tests.server import ADMIN_KEY
from api_tests.waiting import eventually, eventually_told
from app.kernel.clock import monotonic

_LISTENING, _TIME_WAIT = "0A", "06"
_ENDED = {_LISTENING, _TIME_WAIT}


def in_kernel(port: int) -> int:
    """TCP connections of this port of ours, also those that no process has any more. (`man 5 proc`, /proc/net/tcp)"""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(local.partition(":")[2], 16) == port and state not in _ENDED for _, local, _, state, *_ in lines)


async def gone_s(victim: Victim, sockets_before: int, stay: int, within: float, *, callers: int = 0) -> tuple[float, float]:
    """Seconds until the server counts only those who stay, and until process and kernel have no others. Raises TimeoutError.

    `callers`: connections of callers of the REST interface that were made since `sockets_before`, and stay as well.
    """
    began = monotonic()
    async with ApiClient(victim.url, ADMIN_KEY) as api:

        async def counts_none() -> bool:
            return stay == (await api.get("/connections/count")).json()["connections"]

        await eventually_told(counts_none, within)
        uncounted_s = monotonic() - began
    await eventually(
        lambda: victim.sockets() <= sockets_before + callers and in_kernel(victim.port) <= stay + callers, within - uncounted_s
    )
    return uncounted_s, monotonic() - began
