"""The check on every request of the back office: a key, and a key that has the scope."""

from collections.abc import Iterable

import structlog

from app.auth.keys import Caller, KeyRing
from app.auth.scopes import ANY, allows
from app.kernel.errors import Forbidden, Unauthenticated


async def admit(headers: Iterable[tuple[bytes, bytes]], ring: KeyRing, scope: str) -> Caller:
    """Who asks, by the key in the headers. Raises Unauthenticated, Forbidden for a key without the scope; both name the scope."""
    given = next((value for name, value in headers if name == b"authorization"), b"").decode("latin-1")
    scheme, _, text = given.partition(" ")
    with_scope = "" if scope == ANY else f" with the scope {scope}"
    if scheme.lower() != "bearer" or not text:
        message = f"an API key{with_scope} is needed: send the header `Authorization: Bearer <key>`"
        raise Unauthenticated(message)
    caller = await ring.caller(text.strip())
    if caller is None:
        message = f"this is no valid API key: mistyped, expired or revoked; one{with_scope} is needed"
        raise Unauthenticated(message)
    if not allows(caller.scopes, scope):
        message = f"this key has not the scope {scope}"
        raise Forbidden(message)
    structlog.contextvars.bind_contextvars(key=caller.key_id or caller.name)
    return caller
