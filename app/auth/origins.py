"""Which pages may open sockets (RFC 6455, 10.2). Browsers send a page's origin and cannot be made to lie about it."""

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from app.settings import SettingsError

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origins:
    """Same origin, and those that the operator listed. Scheme, host and port must all be the same: no prefixes, no suffixes.

    Raises SettingsError when a listed one is no origin: left out, it would be missed only when its pages fail.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        listed = set(allowed)
        self._all = "*" in listed
        self._allowed = {_listed(origin) for origin in listed - {"*"}}

    def allow(self, origin: str, *, scheme: str, host: str) -> bool:
        """Whether a page of `origin` may open a socket to this server, which it reached as `host` by `scheme` (ws or wss)."""
        if self._all:
            return True
        page = _parse(origin)
        if page is None:
            return False
        own = _parse(f"{'https' if scheme == 'wss' else 'http'}://{host}")
        return page == own or page in self._allowed


def _listed(origin: str) -> tuple[str, str, int]:
    known = _parse(origin)
    if known is None:
        message = f"WSX_ALLOWED_ORIGINS: {origin!r} is no origin; it has scheme, host and port only, as https://shop.example:8443"
        raise SettingsError(message)
    return known


@lru_cache(maxsize=256)  # a server has few names, and thousands of pages
def _parse(origin: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.path or parts.query or parts.fragment or parts.username:
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme]
