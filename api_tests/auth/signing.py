"""A site that signs its tokens itself, with keys of every kind; and somebody who would like to be it."""

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

A_DAY_S = 86_400
ALGORITHMS = {"rsa": "RS256", "p256": "ES256", "ed25519": "EdDSA"}
RSA_BITS = {"rsa": 2_048, "rsa1024": 1_024}
"""The second one is too short, and to be refused."""
_ADAPTERS: dict[str, Any] = {"rsa": RSAAlgorithm, "p25": ECAlgorithm, "p38": ECAlgorithm, "ed2": OKPAlgorithm, "ed4": OKPAlgorithm}


@cache
def private_key(kind: str, number: int = 0) -> Any:
    """The site's key of this kind; with another number, another one."""
    match kind:
        case "rsa" | "rsa1024":
            return generate_rsa(65_537, RSA_BITS[kind])
        case "p256":
            return generate_private_key(SECP256R1())
        case "p384":
            return generate_private_key(SECP384R1())
        case "ed448":
            return Ed448PrivateKey.generate()
        case _:
            return Ed25519PrivateKey.generate()


def pem(kind: str, number: int = 0) -> str:
    public = private_key(kind, number).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem(kind: str) -> str:
    return private_key(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def jwk(kind: str, number: int = 0, *, is_private: bool = False, **more: object) -> dict[str, object]:
    key = private_key(kind, number)
    made: dict[str, object] = json.loads(_ADAPTERS[kind[:3]].to_jwk(key if is_private else key.public_key()))
    return made | more


def jwks(*keys: dict[str, object]) -> str:
    return json.dumps({"keys": keys})


def claims(**changed: object) -> dict[str, object]:
    """Of a token that is good; None takes one out."""
    now = int(time.time())
    whole = {"sub": "ada", "name": "Ada", "roles": ["admin"], "aud": "wsx", "iat": now - 60, "exp": now + 2 * A_DAY_S, **changed}
    return {name: value for name, value in whole.items() if value is not None}


def signed(kind: str, number: int = 0, *, header: dict[str, Any] | None = None, **changed: object) -> str:
    return jwt.encode(claims(**changed), private_key(kind, number), algorithm=ALGORITHMS[kind], headers=header)


def part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(data).decode().rstrip("=")


def by_hand(header: dict[str, object], secret: bytes = b"", **changed: object) -> str:
    """A token of any header, signed by HMAC: libraries would not make it."""
    said = f"{part(header)}.{part(claims(**changed))}"
    return f"{said}.{part(hmac.digest(secret, said.encode(), hashlib.sha256))}"
