"""Services of a database alone."""

from app.db.session import Database
from app.features.services import Services
from app.hub.lease import OwnLease
from app.settings import Settings


def bare_services(settings: Settings, database: Database) -> Services:
    """For what needs no hub and no tokens."""
    return Services(settings, database, None, None, everywhere=object(), lease=OwnLease())  # type: ignore[arg-type]
