"""Brings a database to the newest form of the tables, in this process."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import make_url

MIGRATIONS = Path(__file__).parent.parent.parent / "migrations"


def alembic_config(url: str) -> Config:
    """Alembic's configuration for a database, from whatever working directory."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    return config


def upgrade(url: str) -> None:
    """Apply all migrations that the database has not seen. Blocks; call it before the event loop runs, or in a thread."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    command.upgrade(alembic_config(url), "head")
