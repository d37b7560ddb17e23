"""The keys of connection tokens, as the settings name them."""

import hashlib
import hmac
from pathlib import Path

from sqlalchemy.engine import make_url

from app.auth.jwks_file import JwksFile
from app.auth.revocations import Revocations
from app.auth.secret_file import FILE_NAME, secret_beside
from app.auth.token_keys import NO_KEYS, FixedKeys, PublicKeys, WrongKey, from_pem
from app.auth.tokens import Tokens
from app.settings import Settings, SettingsError


def make_tokens(settings: Settings, revocations: Revocations | None = None) -> Tokens:
    """The maker and reader of connection tokens. A secret is made at first use, where there is neither one nor a public key.

    Raises SettingsError for a key that is not to be used, without showing it.
    """
    public_keys = _public_keys(settings)
    secret = settings.token_secret
    if not secret and public_keys is None:
        secret = secret_beside(state_folder(settings))
    return Tokens(
        secret,
        other_secret=settings.token_other_secret,
        public_keys=public_keys or NO_KEYS,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        revocations=revocations,
    )


def has_public_key(settings: Settings) -> bool:
    """Whether the site signs tokens by a private key, of which the public one is set."""
    return bool(settings.token_public_key or settings.token_jwks_file)


def secret_file(settings: Settings) -> Path | None:
    """Where the secret is kept that nobody has set; None: another key is set."""
    return None if settings.token_secret or has_public_key(settings) else state_folder(settings) / FILE_NAME


def state_folder(settings: Settings) -> Path:
    """Where the server keeps its own files: beside the SQLite database, else `var/`."""
    url = make_url(settings.database_url)
    return Path(url.database).parent if url.get_backend_name() == "sqlite" and url.database else Path("var")


def fingerprint(settings: Settings) -> str:
    """Of what nodes must have in common to let the same pages in, one for each secret; they say nothing of these."""
    public = "".join(settings.token_public_key.replace("\\n", "\n").split())
    known = f"fingerprint of {settings.token_issuer!r}, {settings.token_audience!r} and {public!r}".encode()
    secrets = filter(None, (settings.token_secret, settings.token_other_secret))
    return (
        ",".join(hmac.digest(secret.encode(), known, "sha256").hex()[:16] for secret in secrets)
        or (hashlib.sha256(known).hexdigest()[:16])
    )


def _public_keys(settings: Settings) -> PublicKeys | None:
    if settings.token_jwks_file:
        return JwksFile(Path(settings.token_jwks_file))
    if not settings.token_public_key:
        return None
    try:
        return FixedKeys(from_pem(settings.token_public_key))
    except WrongKey as error:
        message = f"WSX_TOKEN_PUBLIC_KEY: {error}"
        raise SettingsError(message) from None
