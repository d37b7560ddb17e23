"""What an API key may do. A scope is `thing:read` or `thing:write`; three stand for themselves."""

from collections.abc import Iterable
from typing import Final

ANY: Final = "any"
"""What every key may do. No key is given it, for it would give nothing."""
ADMIN: Final = "admin"
"""All scopes."""
HTML_RAW: Final = "html:raw"
"""HTML of this key goes to pages as it is; without it, it is cleaned."""
KEYS_ADMIN: Final = "keys:admin"
"""Make, list and revoke keys."""
METRICS: Final = "metrics:read"
"""Numbers of the server, which are wanted most when it does badly."""

_THINGS: Final = {
    "announcements": ("read", "write"),
    "audit": ("read",),
    "broadcasts": ("write",),
    "connections": ("read", "write"),
    "dashboard": ("read", "write"),
    "follows": ("read", "write"),
    "messages": ("read", "write"),
    "metrics": ("read",),
    "notifications": ("read", "write"),
    "rooms": ("read", "write"),
    "tokens": ("write",),
    "users": ("read", "write"),
}

SCOPES: Final = frozenset(
    {ADMIN, HTML_RAW, KEYS_ADMIN}
    | {f"{thing}:{verb}" for thing, verbs in _THINGS.items() for verb in verbs}
    | {f"{thing}:*" for thing in _THINGS}
)
"""All that a key can be given."""


def unknown_scopes(scopes: Iterable[str]) -> list[str]:
    """Those that no key can be given, sorted."""
    return sorted(set(scopes) - SCOPES)


def allows(granted: frozenset[str], wanted: str) -> bool:
    """Whether these scopes cover the wanted one: it is among them, or `thing:*` or `admin` is, or any will do."""
    return wanted == ANY or wanted in granted or ADMIN in granted or wanted.partition(":")[0] + ":*" in granted
