"""Keys of connection tokens. Each is for one algorithm, which comes from what the key is and never from a token (RFC 8725, 3.1)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import InvalidKeyError
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

HS256: Final = "HS256"
MIN_RSA_BITS: Final = 2_048
"""Shorter ones can be factored (RFC 7518, 3.3)."""
MAX_KEYS: Final = 20
"""Public keys. A token that names none of them costs a try of each that has its algorithm."""

_PEM: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_FROM_JWK: Final[Mapping[str, Any]] = {"RSA": RSAAlgorithm, "EC": ECAlgorithm, "OKP": OKPAlgorithm}
_SECRET_MEMBERS: Final = {"d", "k"}
"""Of a private key, and of a symmetric one (RFC 7518, 6)."""


class WrongKey(ValueError):
    """A key that is not to be used. The text says why, and nothing of the key."""


class TokenKey(NamedTuple):
    """A key, and what it is for."""

    algorithm: str
    material: Any
    """A secret as text, or a public key of `cryptography`."""
    name: str | None = None
    """The `kid` of the tokens that it verifies; None: it has none, and any token may be its."""


class PublicKeys(Protocol):
    """The public keys of the site, as they are now."""

    def now(self) -> Sequence[TokenKey]:
        """All of them. Does not wait for anything but a local file, and does not fail."""


class FixedKeys(tuple[TokenKey, ...]):
    """Keys that stay as long as the process."""

    __slots__ = ()

    def now(self) -> Sequence[TokenKey]:
        """All of them."""
        return self


NO_KEYS: Final = FixedKeys()


def fitting(keys: Iterable[TokenKey], header: Mapping[str, object]) -> list[TokenKey]:
    """Those of our keys that a token with this header may be verified with.

    The header names one of our set, or it names none: a name that is not ours fits only keys that have none. What else it holds (a
    key, the address of one) is not looked at.
    """
    name = header.get("kid")
    able = [key for key in keys if key.algorithm == header.get("alg")]
    named = [key for key in able if key.name is not None and key.name == name]
    return named or [key for key in able if key.name is None or name is None]


def from_pem(text: str) -> list[TokenKey]:
    """The public keys in PEM. Raises WrongKey."""
    text = text.replace("\\n", "\n")
    blocks = list(_PEM.finditer(text))
    if not blocks:
        raise WrongKey("no public key in PEM is in it; it begins with -----BEGIN PUBLIC KEY-----")
    return [_from_pem(block[0], block[1]) for block in _few(blocks)]


def from_jwks(document: object) -> list[TokenKey]:
    """The keys of a JSON Web Key Set that can verify tokens here; others, such as those for encryption, are left out.

    Raises WrongKey where none is left, or one must not be there: a private one, a short one, two of one name.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise WrongKey('no JSON Web Key Set: an object with a list of keys is wanted, {"keys": [{"kty": …}, …]}')
    keys = [key for one in listed if (key := _from_jwk(one)) is not None]
    if not keys:
        raise WrongKey("it has no key for RS256, ES256 or EdDSA")
    names = [key.name for key in keys if key.name is not None]
    if len(set(names)) < len(names):
        raise WrongKey("two of its keys have the same `kid`")
    return _few(keys)


def _from_jwk(jwk: Mapping[str, Any]) -> TokenKey | None:
    """One key of a set; None: it is not for this."""
    kind, name = jwk.get("kty"), jwk.get("kid")
    if jwk.keys() & _SECRET_MEMBERS:
        raise WrongKey("it holds a private or symmetric key; only public ones belong here")
    if not isinstance(kind, str) or kind not in _FROM_JWK or jwk.get("use", "sig") != "sig":
        return None
    if not isinstance(jwk.get("key_ops", []), list) or "verify" not in jwk.get("key_ops", ["verify"]):
        return None
    try:
        key = _FROM_JWK[kind].from_jwk(dict(jwk))
    except (InvalidKeyError, ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        return None
    algorithm = _algorithm_of(key)
    if algorithm is None or jwk.get("alg", algorithm) != algorithm:
        return None
    return TokenKey(algorithm, key, name if isinstance(name, str) else None)


def _from_pem(block: str, kind: str) -> TokenKey:
    if "PRIVATE" in kind:
        raise WrongKey("this is a private key; it stays with the site, and only the public one belongs here")
    try:
        key = load_pem_public_key(block.encode())
    except (ValueError, UnsupportedAlgorithm):
        message = f"what stands under -----BEGIN {kind}----- is no public key"
        raise WrongKey(message) from None
    algorithm = _algorithm_of(key)
    if algorithm is None:
        raise WrongKey("a key of another kind: RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA) is wanted")
    return TokenKey(algorithm, key)


def _algorithm_of(key: object) -> str | None:
    """What this key is for; None: not for tokens here. Raises WrongKey for a short one."""
    match key:
        case RSAPublicKey():
            if key.key_size < MIN_RSA_BITS:
                message = f"an RSA key of {key.key_size} bits is too short; at least {MIN_RSA_BITS} are needed"
                raise WrongKey(message)
            return "RS256"
        case EllipticCurvePublicKey(curve=SECP256R1()):
            return "ES256"
        case Ed25519PublicKey():
            return "EdDSA"
        case _:
            return None


def _few(keys: list[Any]) -> list[Any]:
    if len(keys) > MAX_KEYS:
        message = f"it has {len(keys)} keys; at most {MAX_KEYS} are taken"
        raise WrongKey(message)
    return keys
