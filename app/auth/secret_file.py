"""The secret of connection tokens that nobody has set: made at first start, and kept beside the database."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from app.settings import MIN_SECRET_CHARS, SettingsError

FILE_NAME: Final = "token.secret"


def secret_beside(folder: Path) -> str:
    """The secret kept in this folder; made there, with mode 0600, when there is none yet.

    Raises SettingsError when it cannot be kept there, or what is kept there is no secret.
    """
    path = folder / FILE_NAME
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
