"""The socket handler of signing in."""

import msgspec

from app.features.asking import read
from app.features.services import Services
from app.features.sign_in import service, view
from app.hub.connection import Connection
from app.hub.handlers import Reply, Request


class Authenticate(msgspec.Struct, frozen=True, rename="camel"):
    """Data of `authenticate`."""

    token: str


async def authenticate(services: Services, request: Request, connection: Connection) -> Reply:
    """Sign this connection in, or renew it."""
    asked = read(request, Authenticate)
    is_renewal = connection.user is not None
    user = service.sign_in(services, connection, asked.token)
    return Reply(view.renewed(user) if is_renewal else view.signed_in(user))
