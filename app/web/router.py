"""A router of one application."""

from collections.abc import Sequence
from copy import copy
from typing import Any

from litestar import Router
from litestar.handlers import HTTPRouteHandler


class OwnRouter(Router):
    """Its handlers are its own: as many applications as want may be made of the same ones.

    An application copies each router that it is given, with all that its handlers tell the document: a third of the calls of its
    making. This one is given away once.
    """

    def __init__(self, path: str, *, route_handlers: Sequence[HTTPRouteHandler], **how: Any) -> None:
        super().__init__(path, route_handlers=[copy(handler) for handler in route_handlers], **how)

    def __deepcopy__(self, _memo: object) -> "OwnRouter":
        return self
