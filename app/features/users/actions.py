"""What pages ask for: every user's own line."""

from app.features import asking
from app.features.particulars import reached
from app.features.services import Services
from app.features.users import service, view
from app.hub.connection import Connection
from app.hub.handlers import Reply, Request


async def broadcast_user_updates(services: Services, _request: Request, connection: Connection) -> Reply:
    """Send every connected user a line with their own name and status. For admins."""
    asking.admin(connection)
    sent = await service.send_own_lines(services)
    reached(users=sent.users)
    return Reply(view.lines_sent(sent.users))
