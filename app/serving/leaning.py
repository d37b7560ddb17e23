"""What we lean on inside uvicorn, which promises none of it: looked for at start, and not missed at the first request."""

from types import FunctionType
from typing import Any, Final

NEEDED: Final = frozenset(
    {
        *("connection_lost", "data_received", "shutdown"),
        *("on_body", "on_header", "on_headers_complete", "on_message_complete", "on_response_complete", "send_400_response"),
        *("_start_asgi_task", "disconnected", "message_event"),
        *("config", "cycle", "headers", "parser", "pipeline", "scope", "transport", "url"),
    }
)
"""Names of its HTTP protocol, and of its requests: what we override, what we read, and what we set."""


def check_names(protocol_class: Any) -> None:
    """Raises ImportError where a name is not there, neither as a method nor as what a method speaks of."""
    methods = [method for method in vars(protocol_class).values() if isinstance(method, FunctionType)]
    there = {*dir(protocol_class), *(name for method in methods for name in method.__code__.co_names)}
    if missing := sorted(NEEDED - there):
        names = ", ".join(missing)
        message = f"this uvicorn has no {names} in {protocol_class.__name__}: another version of it is needed (pyproject.toml)"
        raise ImportError(message)
