"""What we lean on inside uvicorn, which promises none of it: looked for at start, and not missed at the first request."""

from typing import Any, Final

NEEDED: Final = frozenset(
    {
        *("connection_lost", "data_received", "shutdown"),
        *("on_body", "on_headers_complete", "on_message_complete", "on_response_complete", "send_400_response"),
        *("config", "cycle", "headers", "pipeline", "transport"),
    }
)
"""Names of its HTTP protocol: what we override, and what we read."""


def check_names(protocol_class: Any) -> None:
    """Raises ImportError where a name is not there, neither as a method nor as what the constructor sets."""
    there = {*dir(protocol_class), *protocol_class.__init__.__code__.co_names}
    if missing := sorted(NEEDED - there):
        names = ", ".join(missing)
        message = f"this uvicorn has no {names} in {protocol_class.__name__}: another version of it is needed (pyproject.toml)"
        raise ImportError(message)
