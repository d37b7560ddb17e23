"""Connection tokens: who a browser is, signed by the site (RFC 7519, RFC 8725).

The algorithm is ours to say, never the token's: what the header claims is only compared. Every token must end (`exp`) and name a
user (`sub`); one that says when it was issued (`iat`) can be told from those that were revoked.
"""

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, TypeGuard

import jwt
from jwt.exceptions import InvalidSubjectError

from app.auth.revocations import Revocations
from app.auth.token_keys import HS256, NO_KEYS, FixedKeys, PublicKeys, TokenKey, fitting
from app.kernel.clock import utc_now
from app.kernel.errors import AppError, Unauthenticated
from app.kernel.identity import User

MAX_TOKEN_CHARS: Final = 4_096
"""Longer ones do not fit into a cookie; nothing longer is looked at."""
MAX_ID_CHARS: Final = 128
MAX_NAME_CHARS: Final = 200
MAX_ROLES: Final = 50

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
"""JSON can hold NUL and half of a surrogate pair; databases and messages take neither."""


class NoSigningKey(AppError):
    """Tokens cannot be made here: the site has the private key."""

    code, status, title = "no_signing_key", 409, "Tokens are made elsewhere"


class TokenTooLong(AppError):
    """Names and roles make a token that no cookie could hold, and that would not be read."""

    code, status, title = "token_too_long", 422, "The token would be too long"


class NoSuchKeyError(jwt.InvalidTokenError):
    """None of our keys has the name that the token says, or is for its algorithm."""


_WHY_REFUSED: Final[Mapping[type[Exception], str]] = {
    NoSuchKeyError: "no key that is set here has the name, or the algorithm, that its header says",
    jwt.InvalidSignatureError: "it is signed with another key than those that are set here",
    jwt.DecodeError: "it cannot be read: it is not as `wsx token` prints one",
    jwt.InvalidAlgorithmError: "its algorithm is not the one that is set here",
    jwt.InvalidAudienceError: "it is made for another site: its `aud` is not WSX_TOKEN_AUDIENCE",
    jwt.InvalidIssuerError: "it is made by another site: its `iss` is not WSX_TOKEN_ISSUER",
    jwt.ImmatureSignatureError: "it is not valid yet: its `nbf` or `iat` is in the future",
    InvalidSubjectError: "its `sub` must be a text",
}
"""What its maker can put right, in place of the names of a library's classes. The first that fits."""


class Tokens:
    """Makes tokens with one secret, and reads those of all keys."""

    def __init__(
        self,
        secret: str,
        *,
        other_secret: str = "",
        public_keys: PublicKeys = NO_KEYS,
        issuer: str = "",
        audience: str = "",
        revocations: Revocations | None = None,
    ) -> None:
        """`secret`: makes tokens, and reads them; empty: none are made. `other_secret` and `public_keys` only read."""
        self._secret = secret
        self._secrets = FixedKeys(TokenKey(HS256, one) for one in (secret, other_secret) if one)
        self._public_keys = public_keys
        self._issuer = issuer
        self._audience = audience
        self.revocations = revocations or Revocations()

    @property
    def keys(self) -> Sequence[TokenKey]:
        """All keys that verify, as they are now."""
        return (*self._secrets, *self._public_keys.now())

    def derived_key(self, label: str) -> bytes | None:
        """32 bytes for another purpose, the same wherever the secret is; they say nothing of it. None: there is no secret."""
        return hmac.digest(self._secret.encode(), label.encode(), "sha256") if self._secret else None

    def issue(self, user_id: str, *, name: str = "", roles: Iterable[str] = (), ttl: timedelta) -> str:
        """A token for this user that ends after `ttl`. Raises NoSigningKey where there is no secret, and TokenTooLong."""
        if not self._secret:
            message = "only public keys are set here: the site makes the tokens, with its private key; or set WSX_TOKEN_SECRET, too"
            raise NoSigningKey(message)
        now = utc_now()
        claims: dict[str, object] = {
            "sub": user_id,
            "name": name or user_id,
            "roles": sorted(roles),
            "iat": int(now.timestamp() * 1_000) / 1_000,  # with milliseconds: it may follow a revocation in the same second
            "exp": now + ttl,
        }
        if self._issuer:
            claims["iss"] = self._issuer
        if self._audience:
            claims["aud"] = self._audience
        token = jwt.encode(claims, self._secret, algorithm=HS256)
        if len(token) > MAX_TOKEN_CHARS:
            message = f"with this name and these roles the token has {len(token)} characters; at most {MAX_TOKEN_CHARS} are read"
            raise TokenTooLong(message)
        return token

    def read(self, token: str) -> User:
        """The user of a token. Raises Unauthenticated, whose text never holds the token."""
        if len(token) > MAX_TOKEN_CHARS:
            raise Unauthenticated("the connection token is too long")
        try:
            claims = self._verified(token)
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the connection token has ended; get a fresh one from the site") from None
        except jwt.InvalidTokenError as error:
            message = f"the connection token was refused: {_why(error)}"
            raise Unauthenticated(message) from None
        user = _user_of(claims)
        self.revocations.check(user)
        return user

    def _verified(self, token: str) -> dict[str, object]:
        """The claims, if one of our keys has signed them. Raises jwt.InvalidTokenError."""
        keys = self.keys
        if len(keys) != 1 or keys[0].name is not None:
            keys = fitting(keys, jwt.get_unverified_header(token))
        if not keys:
            raise NoSuchKeyError
        for key in keys[:-1]:
            with suppress(jwt.InvalidSignatureError):
                return self._decoded(token, key)
        return self._decoded(token, keys[-1])

    def _decoded(self, token: str, key: TokenKey) -> dict[str, object]:
        claims: dict[str, object] = jwt.decode(
            token,
            key.material,
            algorithms=[key.algorithm],
            issuer=self._issuer or None,
            audience=self._audience or None,
            options={"require": ["exp", "sub"], "verify_aud": bool(self._audience)},
        )
        return claims


def _why(error: jwt.InvalidTokenError) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"it says no `{error.claim}`"
    return next((why for kind, why in _WHY_REFUSED.items() if isinstance(error, kind)), "it is not valid")


def _user_of(claims: dict[str, object]) -> User:
    subject, name, roles = claims["sub"], claims.get("name"), claims.get("roles", [])
    if not _is_text(subject) or not 0 < len(subject) <= MAX_ID_CHARS:
        message = f"the connection token's `sub` must be a text of 1 to {MAX_ID_CHARS} characters"
        raise Unauthenticated(message)
    if not isinstance(roles, list) or len(roles) > MAX_ROLES or not all(_is_text(role) for role in roles):
        message = f"the connection token's `roles` must be a list of at most {MAX_ROLES} texts"
        raise Unauthenticated(message)
    expires_at, issued_at = _time(claims, "exp"), _time(claims, "iat")
    shown = name[:MAX_NAME_CHARS] if isinstance(name, str) and name else subject
    shown = shown.encode(errors="replace").decode().replace("\0", "?")
    return User(subject, shown, _shared_roles(tuple(roles)), expires_at, issued_at)


def _time(claims: dict[str, object], name: str) -> datetime | None:
    """A time that the token says; None: it does not."""
    if name not in claims:
        return None
    said = claims[name]
    try:
        return datetime.fromtimestamp(said if isinstance(said, float) else float(str(said)), UTC)
    except (ValueError, OverflowError, OSError):
        message = f"the connection token's `{name}` is no time: it counts seconds since 1970, not milliseconds"
        raise Unauthenticated(message) from None


@lru_cache(maxsize=256)
def _shared_roles(roles: tuple[str, ...]) -> frozenset[str]:
    """One set for all who have the same roles: 2 MiB less for ten thousand users, and less garbage to collect."""
    return frozenset(roles)


def _is_text(value: object) -> TypeGuard[str]:
    """Whether databases and messages take it."""
    return isinstance(value, str) and _UNSTORABLE.search(value) is None
