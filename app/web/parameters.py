"""Query parameters that an operation does not have are refused: a mistyped filter would find everything."""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from app.auth.guards import Guard
from app.kernel.errors import FieldError, InvalidFields


def takes_only(names: frozenset[str]) -> Guard:
    """A guard that lets requests pass whose query has only these names."""
    there_are = f"there {'is' if len(names) == 1 else 'are'} {', '.join(sorted(names)) or 'none'} here"

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
        if connection.scope["query_string"] and (unknown := sorted(set(connection.query_params) - names)):
            raise InvalidFields([FieldError(f"?{name}", f"no such parameter; {there_are}") for name in unknown])

    return guard
