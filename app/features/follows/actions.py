"""Socket handlers: a user follows others."""

import msgspec

from app.features.asking import read, signed_in
from app.features.follows import service, view
from app.features.services import Services
from app.hub.audience import Id
from app.hub.connection import Connection
from app.hub.handlers import Reply, Request


class Following(msgspec.Struct, frozen=True, rename="camel"):
    """Whom it is about."""

    target_user_id: Id


async def follow_user(services: Services, request: Request, connection: Connection) -> Reply:
    """Store it, and notify the user who is followed."""
    user = signed_in(connection, "follow users")
    is_new = await service.follow(services, user, read(request, Following).target_user_id)
    return Reply(view.following(is_new=is_new))


async def unfollow_user(services: Services, request: Request, connection: Connection) -> Reply:
    """Forget it; nobody is told."""
    user = signed_in(connection, "unfollow users")
    was_following = await service.unfollow(services, user.id, read(request, Following).target_user_id)
    return Reply(view.unfollowed(was_following=was_following))
