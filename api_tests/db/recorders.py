"""What tests of the recorder of users share."""

import threading

from app.db.session import Database
from app.features.services import Services
from app.hub.hub import Hub
from app.main import make_tokens
from app.settings import Settings

USERS = "SELECT id, name, roles, last_connected_at IS NOT NULL FROM users ORDER BY id"


def no_driver_thread() -> bool:
    """The thread of a connect that failed speaks to the loop once more: the loop must not end before."""
    return not [thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name]


def services(settings: Settings, database: Database, hub: Hub) -> Services:
    return Services(settings, database, hub, make_tokens(settings))
