"""A JSON Web Key Set in a file (RFC 7517), read anew when it changes: keys come and go without a restart."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from app.auth.token_keys import TokenKey, WrongKey, from_jwks
from app.kernel.clock import monotonic
from app.settings import SettingsError

LOOK_EVERY_S: Final = 1.0
"""Seconds between two looks at whether the file has changed. It is looked at only when tokens come."""
MAX_FILE_BYTES: Final = 262_144
"""A key is some 500 bytes; a longer file is something else."""

_log = structlog.get_logger()


class JwksFile:
    """`app.auth.token_keys.PublicKeys` in a file.

    While the file is away or holds nothing usable, the keys of before stay, and it is logged: a half-written file must not sign
    everybody out, and a wrong one must let nobody in.
    """

    def __init__(self, path: Path) -> None:
        """Read it. Raises SettingsError."""
        self._path = path
        self._looked_at = monotonic()
        self._seen = _version(path)
        try:
            self._keys = _read(path)
        except WrongKey as error:
            message = f"WSX_TOKEN_JWKS_FILE: {path}: {error}"
            raise SettingsError(message) from None

    def now(self) -> Sequence[TokenKey]:
        """The keys; those of a file that has changed are seen within `LOOK_EVERY_S`."""
        now = monotonic()
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            seen = _version(self._path)
            if seen != self._seen:
                self._seen = seen
                self._read_anew()
        return self._keys

    def _read_anew(self) -> None:
        try:
            self._keys = _read(self._path)
        except WrongKey as error:
            _log.error("the file of token keys cannot be used; the keys of before stay", file=str(self._path), error=str(error))
        else:
            _log.info("token keys read anew", file=str(self._path), keys=[key.name or key.algorithm for key in self._keys])


def _version(path: Path) -> tuple[int, ...]:
    """Another one when the file is another; a file that was replaced has another inode, whatever its times say."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(path: Path) -> list[TokenKey]:
    """The keys in the file. Raises WrongKey."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise WrongKey("it is too long for a set of keys")
        return from_jwks(msgspec.json.decode(content))
    except OSError as error:
        message = f"it cannot be read: {error.strerror}"
        raise WrongKey(message) from None
    except (msgspec.DecodeError, RecursionError):
        raise WrongKey("it is no JSON") from None
