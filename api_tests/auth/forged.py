"""Tokens that must let nobody in, each by its name. Those that are wrong under every key, and those made of a public one."""

import time
from collections.abc import Callable, Mapping

import jwt

from api_tests.auth.signing import A_DAY_S, by_hand, claims, jwk, part, pem, private_key, signed

NOW = time.time()
CLAIMS: Mapping[str, dict[str, object]] = {
    "expired": {"exp": int(NOW) - 3_600},
    "expires never": {"exp": None},
    "expires in text": {"exp": "tomorrow"},
    "expires in milliseconds": {"exp": (NOW + A_DAY_S) * 1_000},
    "not before tomorrow": {"nbf": NOW + A_DAY_S},
    "issued tomorrow": {"iat": NOW + A_DAY_S},
    "issued never": {"iat": "yesterday"},
    "of nobody": {"sub": None},
    "of an empty name": {"sub": ""},
    "of a number": {"sub": 7},
    "of a list": {"sub": ["ada"]},
    "for another site": {"aud": "another"},
    "for no site": {"aud": None},
    "for a site with ours in its name": {"aud": "wsx.evil.example"},
    "of another issuer": {"iss": "https://evil.example"},
    "of no issuer": {"iss": None},
    "of an issuer with the site's in its name": {"iss": "https://site.example.evil.example"},
    "with roles that are a text": {"roles": "admin"},
}
"""Of tokens that are signed rightly."""

ISSUER = "https://site.example"

KIDS: tuple[object, ...] = (
    "../../../../dev/null",
    "/dev/null",
    "' OR '1'='1",
    "' UNION SELECT 'secret",
    "| touch evil",
    "https://evil.example/jwks.json",
    "",
    "x" * 1_000,
    "\0",
    "newer\0",
    "NEWER",
    None,
    0,
    True,
    ["newer"],
    {"kid": "newer"},
)


def unsigned() -> Mapping[str, str]:
    """Whatever the key is."""
    words = {f"alg {alg!r}": f"{part({'alg': alg, 'typ': 'JWT'})}.{part(claims(iss=ISSUER))}." for alg in NO_ALGORITHMS}
    no_alg = f"{part({'typ': 'JWT'})}.{part(claims(iss=ISSUER))}.{part(b'x' * 32)}"
    return words | {
        "no algorithm": no_alg,
        "empty secret": by_hand({"alg": "HS256"}, b"", iss=ISSUER),
        "nothing at all": "",
        "three dots": "...",
        "header no JSON": f"{part(b'{')}.{part(claims())}.x",
        "header a list": f"{part(['alg'])}.{part(claims())}.x",
        "nested deeply": f"{part(b'[' * 2_000)}.{part(claims())}.x",
        "not ASCII": "ключ.ключ.ключ",
        "a proof that is encrypted": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAA.AAAA.AAAA",
    }


NO_ALGORITHMS: tuple[object, ...] = ("none", "None", "NONE", "nOnE", " none", "", None, 0, ["none"], ["HS256", "none"])


def damaged(token: str) -> Mapping[str, str]:
    """A good token that something happened to."""
    header, payload, signature = token.split(".")
    admin = part(claims(sub="admin", iss=ISSUER))
    return {
        "truncated": token[:-8],
        "without its signature": f"{header}.{payload}.",
        "without the last dot": f"{header}.{payload}",
        "with other claims": f"{header}.{admin}.{signature}",
        "with another signature": f"{header}.{payload}.{signature[::-1]}",
        "with a bit turned": f"{header}.{payload}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}",
        "with more behind it": f"{token}.{signature}",
        "with a space in it": f"{header}. {payload}.{signature}",
        "signature of another header": f"{part({'alg': 'HS256', 'typ': 'JWT', 'x': 1})}.{payload}.{signature}",
    }


def of_public_key(kind: str) -> Mapping[str, str]:
    """The public key is known to all: taken for a secret, or brought along (RFC 8725, 2.1 and 3.10)."""
    text = pem(kind)
    stranger = jwk(kind, 9)
    secrets = {"the PEM": text, "the PEM in one line": text.replace("\n", ""), "the PEM without its end": text.strip()}
    made = {
        f"HS256 with {what}": by_hand({"alg": "HS256", "typ": "JWT"}, secret.encode(), iss=ISSUER)
        for what, secret in secrets.items()
    }
    brought = {
        "jwk": stranger,
        "jku": "https://evil.example/jwks.json",
        "x5u": "https://evil.example/cert.pem",
        "x5c": [text.replace("\n", "")],
        "kid": "theirs",
        "crit": ["exp"],
    }
    for name, value in brought.items():
        made[f"another key, by {name}"] = signed(kind, 9, header={name: value}, iss=ISSUER)
    made["another key"] = signed(kind, 9, iss=ISSUER)
    others = [other for other in ("rsa", "p256", "ed25519") if other != kind]
    return made | {f"a key of another kind: {other}": signed(other, iss=ISSUER) for other in others}


def of_other_algorithms(kind: str) -> Mapping[str, str]:
    """The right key, by an algorithm that is not its own here."""
    wanted = ("RS384", "RS512", "PS256", "PS512") if kind == "rsa" else ()
    return {alg: jwt.encode(claims(iss=ISSUER), private_key(kind), algorithm=alg) for alg in wanted}


def all_of(sign: Callable[..., str]) -> dict[str, str]:
    """Those that a right signature does not save, and those that have none. `sign`: makes a token with these claims."""
    wrong = {name: sign(**{"iss": ISSUER, **changed}) for name, changed in CLAIMS.items()}
    return wrong | dict(unsigned()) | dict(damaged(sign(iss=ISSUER)))
