"""The check on every route of the back office: a key, and a key that has the scope."""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from app.auth.keys import Caller, KeyRing
from app.auth.scopes import allows
from app.kernel.errors import Forbidden, Unauthenticated

Connection = ASGIConnection[Any, Any, Any, Any]
Guard = Callable[[Connection, BaseRouteHandler], Awaitable[None]]


def requires(scope: str) -> Guard:
    """A guard that lets keys with this scope pass. 401 and 403 name the scope."""

    async def guard(connection: Connection, _handler: BaseRouteHandler) -> None:
        caller = await _caller(connection, scope)
        if not allows(caller.scopes, scope):
            message = f"this key has not the scope {scope}"
            raise Forbidden(message)
        connection.scope["state"]["caller"] = caller
        structlog.contextvars.bind_contextvars(key=caller.key_id or caller.name)

    return guard


async def _caller(connection: Connection, scope: str) -> Caller:
    scheme, _, text = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text:
        message = f"an API key with the scope {scope} is needed: send the header `Authorization: Bearer <key>`"
        raise Unauthenticated(message)
    ring: KeyRing = connection.app.state.key_ring
    caller = await ring.caller(text.strip())
    if caller is None:
        message = f"this is no valid API key: mistyped, expired or revoked; one with the scope {scope} is needed"
        raise Unauthenticated(message)
    return caller
