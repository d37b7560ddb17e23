"""The checks on every request of the back office: a key, how often it asks, and whether it has the scope."""

from collections.abc import Iterable

import structlog

from app.auth.failures import Failures
from app.auth.keys import Caller, KeyRing
from app.auth.rates import Rates, Standing
from app.auth.scopes import ANY, METRICS, allows
from app.kernel.errors import Forbidden, Unauthenticated


class Guard:
    """Knows who asks and how often. One for all doors of a process."""

    def __init__(self, ring: KeyRing, failures: Failures, *, rate_per_min: int) -> None:
        self._ring = ring
        self._failures = failures
        self._rates = Rates(rate_per_min)

    async def identify(self, headers: Iterable[tuple[bytes, bytes]], address: str, scope: str) -> Caller:
        """Who asks, by the key in the headers. Raises Unauthenticated, which names the scope; RateLimited for one who guesses."""
        given = b""
        for name, value in headers:
            if name == b"authorization":
                given = value
        scheme, _, text = given.decode("latin-1").partition(" ")
        with_scope = "" if scope == ANY else f" with the scope {scope}"
        if scheme.lower() != "bearer" or not text:
            message = f"an API key{with_scope} is needed: send the header `Authorization: Bearer <key>`"
            raise Unauthenticated(message)
        guesses = self._failures.were_there and self._failures.is_over(address)
        caller = await self._ring.caller(text.strip(), guesses=guesses, also_while_away=scope == METRICS)
        if caller is None:
            self._failures.failed(address)
            ended = self._ring.ended(text.strip())
            said = f"this API key {ended}" if ended else "this is no valid API key: mistyped, expired or revoked"
            raise Unauthenticated(f"{said}; one{with_scope} is needed" if with_scope else said)
        structlog.contextvars.bind_contextvars(key=caller.key_id or caller.name)
        return caller

    def refused(self, address: str) -> None:
        """Somebody there has sent what only the holder of a key has, and it was none. Raises RateLimited for one too many."""
        self._failures.failed(address)

    async def holder(self, key_id: str, digest: bytes) -> Caller | None:
        """Who signed in with this key, if it is good still."""
        return await self._ring.holder(key_id, digest)

    def count(self, caller: Caller) -> Standing:
        """One request more of this key."""
        return self._rates.count(caller.key_id)


def check_scope(caller: Caller, scope: str) -> None:
    """Raise Forbidden, which names the scope, unless the key has it."""
    if not allows(caller.scopes, scope):
        message = f"this key has not the scope {scope}"
        raise Forbidden(message)
