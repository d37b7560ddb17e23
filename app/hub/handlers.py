"""What answers a page: functions by name, and what they are given and give back."""

from collections.abc import Awaitable, Callable, Sequence
from inspect import iscoroutinefunction, signature
from typing import TypeVar

import msgspec

from app.hub.connection import Connection
from app.wire.inbound import Inbound as Request
from app.wire.swap import check_swap
from app.wire.update import Fragment

__all__ = ["Handler", "Handlers", "Reply", "Request", "replies_of"]


class Reply(msgspec.Struct, frozen=True):
    """An answer. `target` and `swap` None: what the page asked for."""

    html: str = ""
    target: str | None = None
    swap: str | None = None
    oob: tuple[Fragment, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an unknown swap word."""
        if self.swap is not None:
            check_swap(self.swap)


Handler = Callable[[Request, Connection], Awaitable[Reply | list[Reply] | None]]
AnyHandler = TypeVar("AnyHandler", bound=Handler)


def replies_of(outcome: object) -> Sequence[Reply]:
    """What a handler gave back, as a list. Raises TypeError for what is neither a Reply nor a list of them nor None."""
    if outcome is None:
        return ()
    replies: Sequence[object] = outcome if isinstance(outcome, (list, tuple)) else (outcome,)
    return [_reply(one) for one in replies]


def _reply(given: object) -> Reply:
    if isinstance(given, Reply):
        return given
    message = f"the handler returned {type(given).__name__}; a Reply, a list of them, or None is wanted"
    raise TypeError(message)


class Handlers:
    """The handlers by name; the one without a name is the catch-all. Those of `first`, the site's own, go before these."""

    def __init__(self, first: "Handlers | None" = None) -> None:
        self._by_name: dict[str, Handler] = {}
        self._first = first

    def on(self, name: str = "") -> Callable[[AnyHandler], AnyHandler]:
        """Register the decorated function.

        Raises ValueError when the name is taken (two modules would fight silently), TypeError when the function is not async or
        does not take a request and a connection.
        """
        given: object = name
        if callable(given):
            word = getattr(given, "__name__", "name")
            message = f"write @wsx.on() or @wsx.on({word!r}): without parentheses nothing would be registered"
            raise TypeError(message)

        def register(handler: AnyHandler) -> AnyHandler:
            is_async: bool = iscoroutinefunction(handler)
            if not is_async:
                message = f"the handler {name!r} ({handler.__module__}) must be an async function"
                raise TypeError(message)
            try:
                signature(handler).bind(None, None)
            except TypeError:
                message = f"the handler {name!r} ({handler.__module__}) must take two arguments: the request and the connection"
                raise TypeError(message) from None
            taken = self._by_name.get(name)
            if taken is not None and taken is not handler:
                message = f"the handler {name!r} is registered twice: by {taken.__module__} and by {handler.__module__}"
                raise ValueError(message)
            self._by_name[name] = handler
            return handler

        return register

    def find(self, request: Request) -> Handler | None:
        """The named handler; for a request that names none, the one of its trigger; else the catch-all."""
        return self._named(request.handler or request.trigger) or self._named("")

    def _named(self, name: str) -> Handler | None:
        return (self._first and self._first._named(name)) or self._by_name.get(name)  # noqa: SLF001 - of the same class
