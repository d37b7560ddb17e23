"""What is looked after now and then: connections whose token has ended, and connections whose page has sent nothing for long."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import structlog

from app.hub.audience import signed_in
from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.hub import Hub
from app.kernel.clock import utc_now

EXPIRY_SWEEP_S = 5.0
"""How often connections are looked through for tokens that have ended."""
STRETCH = 200
"""Connections that are looked at before other work has its turn: 0.04 ms, and 4 ms when all of them are closed."""

_log = structlog.get_logger()


@asynccontextmanager
async def sweeping(hub: Hub, *, idle_timeout_s: float, idle_sweep_s: float) -> AsyncIterator[None]:
    """Sweep while the block runs. A timeout or sweep of 0 turns the closing of idle connections off."""
    sweeps = [asyncio.create_task(_every(EXPIRY_SWEEP_S, lambda: close_ended(hub)), name="token sweep")]
    if idle_timeout_s and idle_sweep_s:
        sweeps.append(asyncio.create_task(_every(idle_sweep_s, lambda: close_idle(hub, idle_timeout_s)), name="idle sweep"))
    try:
        yield
    finally:
        for sweep in sweeps:
            sweep.cancel()
        await asyncio.gather(*sweeps, return_exceptions=True)


def close_ended(hub: Hub) -> Iterable[Connection]:
    """Close the connections whose token has ended, with 4401. Yields each that was looked at."""
    now = utc_now()
    for connection in tuple(hub.registry.resolve(signed_in)):
        user = connection.user
        if user is not None and user.expires_at is not None and user.expires_at <= now:
            hub.close(connection, Close.TOKEN_ENDED)
        yield connection


def close_idle(hub: Hub, timeout_s: float) -> Iterable[Connection]:
    """Close the connections whose page has sent nothing for so long, with 4408. Yields each that was looked at.

    Those of clients that cannot say that their user is there stay: they would be closed before their users' eyes.
    """
    for connection in tuple(hub.registry):
        if connection.idle_s >= timeout_s and connection.dialect.says_active:
            hub.close(connection, Close.IDLE)
        yield connection


async def _every(seconds: float, sweep: Callable[[], Iterable[Connection]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            for number, _ in enumerate(sweep(), 1):
                if not number % STRETCH:
                    await asyncio.sleep(0)
        except Exception:
            _log.exception("sweep failed")
