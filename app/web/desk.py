"""Where our own pages ask operations: in the name of a key, past HTTP, and under the same scope, limits and audit log."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.routes import BaseRoute

from app.auth.keys import Caller
from app.auth.scopes import allows
from app.kernel.clock import monotonic
from app.web.answering import DRY_RUN, Asked, Office
from app.web.front import Scope
from app.web.idempotency import HEADER, StillRunning

WAITS_S: Final = 10.0
"""Seconds for the same form to be done with, which was sent a moment before. No call of ours takes as long."""
LOOK_EVERY_S: Final = 0.2
"""Seconds between two looks whether it is."""

_NOTHING: Final[Mapping[str, Any]] = {}


class Counter:
    """What all desks share."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self._operations: dict[str, HTTPRouteHandler] = {}

    def serve(self, routes: Iterable[BaseRoute]) -> None:
        """Know the operations, as the application has registered them."""
        handlers = (handler for route in routes for handler in getattr(route, "route_handlers", ()))
        self._operations = {handler.operation_id: handler for handler in handlers if "operation" in handler.opt}

    def __getitem__(self, operation: str) -> HTTPRouteHandler:
        """The operation of this id."""
        return self._operations[operation]


class Desk:
    """Asks for one caller, and as part of one request."""

    def __init__(
        self, counter: Counter, caller: Caller, *, address: str, request_id: str, is_counted: bool = True, once: str = ""
    ) -> None:
        """`is_counted`: whether what is asked counts among the requests of the key.

        `once`: an `Idempotency-Key`, under which one POST can be asked. Empty: it is done each time.
        """
        self._counter = counter
        self.caller = caller
        headers = ((HEADER.lower().encode(), once.encode()),) if once else ()
        self._told: Scope = {"headers": headers, "method": "", "client": (address, 0), "state": {"request_id": request_id}}
        self._is_counted = is_counted

    def may(self, *scopes: str) -> bool:
        """Whether the key has one of these scopes."""
        return any(allows(self.caller.scopes, scope) for scope in scopes)

    async def ask(
        self,
        operation: str,
        body: Any = None,
        *,
        path: Mapping[str, str] = _NOTHING,
        query: Mapping[str, str | None] = _NOTHING,
    ) -> Any:
        """What an operation answers, as its function returns it. Raises AppError.

        `body`: JSON values. `path`: the parts of the path that the operation names. `query`: None and "" are left out.
        """
        handler = self._counter[operation]
        asked = {name: value for name, value in query.items() if value}
        scope = {
            **self._told,
            "route_handler": handler,
            "path": operation,
            "path_params": path,
            "query_string": urlencode(asked).encode(),
        }
        encoded = b"" if body is None else msgspec.json.encode(body)
        returned = await self._perform(handler, Asked(self.caller, scope, encoded, self._is_counted))
        return returned.content if isinstance(returned, Response) else returned

    async def _perform(self, handler: HTTPRouteHandler, wanted: Asked) -> Any:
        """Raises StillRunning where the same, sent before, is not done with in time."""
        until = monotonic() + WAITS_S
        while True:
            try:
                return await handler.opt["operation"].perform(wanted, self._counter.office)
            except StillRunning:
                if monotonic() >= until:
                    raise
            await asyncio.sleep(LOOK_EVERY_S)
            wanted = wanted._replace(is_counted=False)

    async def try_out(self, operation: str, body: Any) -> Any:
        """What the operation would do: its dry run. Raises AppError."""
        return await self.ask(operation, body, query={DRY_RUN: "true"})
