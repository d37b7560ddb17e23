"""Cookies that nobody can guess, and the seal by which those that we made are known without a look into the database.

`<random>` is a cookie of the sign-in page, to which its form is bound. `<random>.<seal>` is that of somebody who has signed in: who
makes one up costs no look-up. The seal lets nobody in: that the session stands in the database does.
"""

import hmac
import secrets
from base64 import urlsafe_b64encode
from typing import Final

COOKIE_BYTES: Final = 32
SEAL_BYTES: Final = 32
"""As long as the HMAC-SHA-256 that it keys."""


def new_cookie() -> str:
    """Of somebody who has not signed in."""
    return secrets.token_urlsafe(COOKIE_BYTES)


def claims(cookie: str | None) -> bool:
    """Whether whoever sends it claims to have signed in."""
    return cookie is not None and "." in cookie


class Seal:
    """Makes and knows the cookies of those who have signed in, on all nodes."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def new_cookie(self) -> str:
        """A new one."""
        return self._sealed(new_cookie())

    def made(self, cookie: str) -> bool:
        """Whether it is one of ours. In constant time; one of any length and of any bytes can be asked."""
        given = cookie.encode(errors="surrogateescape")
        return hmac.compare_digest(given, self._sealed(cookie.partition(".")[0]).encode(errors="surrogateescape"))

    def _sealed(self, random: str) -> str:
        seal = hmac.digest(self._secret, random.encode(errors="surrogateescape"), "sha256")
        return f"{random}.{urlsafe_b64encode(seal).rstrip(b'=').decode()}"
