"""Connection tokens: who a browser is, signed by the site (RFC 7519, RFC 8725).

The algorithm is ours to say, never the token's: what the header claims is only compared. Every token must end (`exp`) and name a
user (`sub`).
"""

import hmac
import os
import re
import secrets
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeGuard

import jwt

from app.kernel.clock import utc_now
from app.kernel.errors import Unauthenticated
from app.kernel.identity import User
from app.settings import MIN_SECRET_CHARS, SettingsError

ALGORITHM: Final = "HS256"
MAX_TOKEN_CHARS: Final = 4_096
"""Longer ones do not fit into a cookie; nothing longer is looked at."""
MAX_ID_CHARS: Final = 128
MAX_NAME_CHARS: Final = 200
MAX_ROLES: Final = 50
SECRET_FILE: Final = "token.secret"  # noqa: S105 - the name of a file

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
"""JSON can hold NUL and half of a surrogate pair; databases and messages take neither."""


class Tokens:
    """Makes and reads tokens with one secret."""

    def __init__(self, secret: str, *, issuer: str = "", audience: str = "") -> None:
        self._secret = secret
        self._issuer = issuer
        self._audience = audience

    def derived_key(self, label: str) -> bytes:
        """32 bytes for another purpose, the same wherever the secret is; they say nothing of it."""
        return hmac.digest(self._secret.encode(), label.encode(), "sha256")

    def issue(self, user_id: str, *, name: str = "", roles: Iterable[str] = (), ttl: timedelta) -> str:
        """A token for this user that ends after `ttl`."""
        now = utc_now()
        claims: dict[str, object] = {
            "sub": user_id,
            "name": name or user_id,
            "roles": sorted(roles),
            "iat": now,
            "exp": now + ttl,
        }
        if self._issuer:
            claims["iss"] = self._issuer
        if self._audience:
            claims["aud"] = self._audience
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def read(self, token: str) -> User:
        """The user of a token. Raises Unauthenticated, whose text never holds the token."""
        if len(token) > MAX_TOKEN_CHARS:
            raise Unauthenticated("the connection token is too long")
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                issuer=self._issuer or None,
                audience=self._audience or None,
                options={"require": ["exp", "sub"], "verify_aud": bool(self._audience)},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the connection token has ended; get a fresh one from the site") from None
        except jwt.InvalidTokenError as error:
            message = f"the connection token was refused ({type(error).__name__.removesuffix('Error')})"
            raise Unauthenticated(message) from None
        return _user_of(claims)


def _user_of(claims: dict[str, object]) -> User:
    subject, name, roles = claims["sub"], claims.get("name"), claims.get("roles", [])
    if not _is_text(subject) or not 0 < len(subject) <= MAX_ID_CHARS:
        message = f"the connection token's `sub` must be a text of 1 to {MAX_ID_CHARS} characters"
        raise Unauthenticated(message)
    if not isinstance(roles, list) or len(roles) > MAX_ROLES or not all(_is_text(role) for role in roles):
        message = f"the connection token's `roles` must be a list of at most {MAX_ROLES} texts"
        raise Unauthenticated(message)
    try:
        expires_at = datetime.fromtimestamp(float(str(claims["exp"])), UTC)
    except (ValueError, OverflowError, OSError):
        raise Unauthenticated("the connection token's `exp` is no time: it counts seconds since 1970, not milliseconds") from None
    shown = name[:MAX_NAME_CHARS] if isinstance(name, str) and name else subject
    return User(subject, shown.encode(errors="replace").decode().replace("\0", "?"), _shared_roles(tuple(roles)), expires_at)


@lru_cache(maxsize=256)
def _shared_roles(roles: tuple[str, ...]) -> frozenset[str]:
    """One set for all who have the same roles: 2 MiB less for ten thousand users, and less garbage to collect."""
    return frozenset(roles)


def _is_text(value: object) -> TypeGuard[str]:
    """Whether databases and messages take it."""
    return isinstance(value, str) and _UNSTORABLE.search(value) is None


def secret_beside(folder: Path) -> str:
    """The secret kept in this folder; made there, with mode 0600, when there is none yet.

    Raises SettingsError when it cannot be kept there, or what is kept there is no secret.
    """
    path = folder / SECRET_FILE
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _put_secret(path)
        secret = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"WSX_TOKEN_SECRET is not set, and the file {path} cannot be used instead: {error}"
        raise SettingsError(message) from None
    if len(secret) < MIN_SECRET_CHARS:
        message = f"the secret in {path} has fewer than {MIN_SECRET_CHARS} characters; delete the file, or set WSX_TOKEN_SECRET"
        raise SettingsError(message)
    return secret


def _put_secret(path: Path) -> None:
    """Make the file, whole or not at all. Of several processes that try, one wins, and nobody reads a half-written one."""
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # of mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
