"""Services of a database, with a hub to which nobody is connected."""

from api_tests.hub.recording import make_hub
from app.auth.from_settings import make_tokens
from app.db.session import Database
from app.features.services import Services
from app.settings import Settings


def bare_services(settings: Settings, database: Database) -> Services:
    """For what needs no server."""
    return Services(settings, database, make_hub(), make_tokens(settings))
