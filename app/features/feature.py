"""What a feature is, for those who put the application together."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

from litestar.handlers import HTTPRouteHandler

from app.db.session import Database
from app.hub.handlers import Handlers
from app.hub.hub import Hub


class Services(NamedTuple):
    """What a feature may use while the server runs."""

    database: Database
    hub: Hub


class Feature(NamedTuple):
    """One folder of the product. Its tables are known once its package is imported."""

    name: str
    routes: Sequence[HTTPRouteHandler] = ()
    """REST operations, below `/api/v1`."""
    register: Callable[[Handlers, Services], None] | None = None
    """Registers the socket handlers that the feature ships."""
    running: Callable[[Services], AbstractAsyncContextManager[None]] | None = None
    """Background work: entered at start, left in reverse order at stop."""
