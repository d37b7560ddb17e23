"""Which pages may connect (RFC 6455, 10.2). Browsers send a page's origin and cannot be made to lie about it."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from app.settings import SettingsError

MAX_PORT: Final = 65_535
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SERIALIZED: Final = re.compile(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
"""As browsers write an origin: in lower case, in ASCII (other letters as xn--), nothing before the host or behind the port."""


class Origins:
    """Same origin, and those that the operator listed. Scheme, host and port must all be the same: no prefixes, no suffixes.

    Raises SettingsError when a listed one is no origin: left out, it would be missed only when its pages fail.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        listed = set(allowed)
        self._all = "*" in listed
        self._allowed = {_listed(origin) for origin in listed - {"*"}}

    def allow(self, origin: str, *, scheme: str, host: str) -> bool:
        """Whether a page of `origin` may connect to this server, which it reached as `host` by `scheme`: ws, wss, http or https."""
        if self._all:
            return True
        page = _parse(origin)
        if page is None:
            return False
        own = _parse(
            f"{'https' if scheme in {'wss', 'https'} else 'http'}://{host.lower()}"
        )  # not written by the page: people type it
        return page == own or page in self._allowed


def _listed(origin: str) -> tuple[str, str, int]:
    known = _parse(origin)
    if known is None:
        message = (
            f"WSX_ALLOWED_ORIGINS: {origin!r} is no origin as browsers write it: scheme, host and port only, in lower case,"
            " as https://shop.example:8443; letters beyond ASCII as xn--"
        )
        raise SettingsError(message)
    return known


@lru_cache(maxsize=256)  # a server has few names, and thousands of pages
def _parse(origin: str) -> tuple[str, str, int] | None:
    """Its scheme, host and port. None: no browser writes an origin so (RFC 6454, 6.2)."""
    found = _SERIALIZED.fullmatch(origin)
    if found is None:
        return None
    scheme, host, port = found.groups()
    number = int(port) if port else _DEFAULT_PORTS[scheme]
    return (scheme, host, number) if number <= MAX_PORT else None
