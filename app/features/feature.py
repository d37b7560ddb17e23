"""What a feature is, for those who put the application together."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import NamedTuple

from litestar.handlers import HTTPRouteHandler

from app.features.services import Services
from app.features.unsent import PushAgain
from app.hub.connection import Connection
from app.hub.handlers import Reply, Request

Action = Callable[[Services, Request, Connection], Awaitable[Reply | None]]
"""A socket handler that the product ships. It says no by raising an AppError, whose detail the page is shown."""


class Feature(NamedTuple):
    """One folder of the product. Its tables are known once its package is imported."""

    name: str
    routes: Sequence[HTTPRouteHandler] = ()
    """REST operations, below `/api/v1`."""
    actions: Mapping[str, Action] = MappingProxyType({})
    """The socket handlers that it ships, by name. A site's own handler of the same name goes before."""
    admin_actions: Collection[str] = ()
    """Those of them that are for admins: each use of them is in the audit log."""
    running: Callable[[Services], AbstractAsyncContextManager[None]] | None = None
    """Background work: entered at start, left in reverse order at stop."""
    pushes_again: Mapping[str, PushAgain] = MappingProxyType({})
    """How what it noted in `Unsent` is pushed again, by what happened."""
