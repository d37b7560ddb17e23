"""Use cases: an open connection says who it is, or says it again with a fresh token before the old one ends."""

from app.features.services import Services
from app.hub.connection import Connection
from app.kernel.errors import Refused
from app.kernel.identity import User
from app.web.entry import check_sockets

ANOTHER_USER = "another_user"


def sign_in(services: Services, connection: Connection, token: str) -> User:
    """Make the connection the token's user's; a fresh token of the same user replaces when it ends, the name and the roles.

    Raises Unauthenticated for a token that is none of ours or has ended, TooManySockets where the user has as many connections as
    one may have, Refused where the connection is another user's: what its page shows is not for the new one.
    """
    user, known = services.tokens.read(token), connection.user
    if known is None:
        check_sockets(services.hub, user, services.settings.max_sockets_per_user)
    elif known.id != user.id:
        raise Refused("This connection belongs to another user; open a new one", code=ANOTHER_USER)
    services.hub.sign_in(connection, user)
    if known is not None and (known.name, known.roles) != (user.name, user.roles):
        services.hub.on_arrival.fire(connection)  # what concerns the new roles is shown now, as at a connect
    return user
