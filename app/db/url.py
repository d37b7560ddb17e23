"""Which databases there are, and what their URLs look like. Says what is wrong with one in a sentence, without its password."""

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

SQLITE = "sqlite+aiosqlite"
POSTGRESQL = "postgresql+asyncpg"
SHAPES = "sqlite+aiosqlite:///var/wsx.db or postgresql+asyncpg://user:password@host/database"

_OPTIONS = {SQLITE: frozenset[str](), POSTGRESQL: frozenset({"host", "port", "ssl"})}
"""What may stand behind the `?`. The driver would take the others for arguments of its own, and fail at the first connect."""


def parse(text: str) -> URL:
    """The URL of a database that can be used. Raises ValueError, in a sentence for operators."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # the latter: a port that is no number
        message = f"this is no URL of a database; it looks like {SHAPES}"
        raise ValueError(message) from None
    options = _OPTIONS.get(url.drivername)
    if options is None:
        message = f"{url.drivername}:// is not known; it looks like {SHAPES}"
        raise ValueError(message)
    if unknown := sorted(url.query.keys() - options):
        known = f"there are {', '.join(sorted(options))}" if options else "there are none"
        hint = "; in place of sslmode=require it is ssl=require" if "sslmode" in unknown else ""
        message = f"no such option: {', '.join(unknown)}; {known}{hint}"
        raise ValueError(message)
    if url.drivername == SQLITE and url.database in {None, "", ":memory:"}:
        message = f"a database in memory would be another one for each connection: name a file; it looks like {SHAPES}"
        raise ValueError(message)
    if url.drivername == POSTGRESQL and not url.database:
        message = f"the name of the database is missing; it looks like {SHAPES}"
        raise ValueError(message)
    return url


def is_sqlite(text: str) -> bool:
    """Whether this is the URL of a SQLite file."""
    return make_url(text).get_backend_name() == "sqlite"


def file_of(text: str) -> Path | None:
    """The SQLite file; None: it is none."""
    url = make_url(text)
    is_file = url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}
    return Path(str(url.database)).absolute() if is_file else None


def shown(text: str) -> str:
    """The URL as it may be shown: without its password."""
    return make_url(text).render_as_string(hide_password=True)
