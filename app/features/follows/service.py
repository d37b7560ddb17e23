"""Use cases: follow, unfollow, and the lists. Whoever is followed anew is notified once."""

from functools import partial

from app.features.follows import store
from app.features.follows.model import FollowRow
from app.features.notifications import Notifier, notifying
from app.features.services import Services
from app.features.users import UserRow, addressed, addressing, connected_user, ensure_signed_in, ensure_users
from app.kernel.errors import NotFound, Refused
from app.kernel.identity import User

ONESELF = "oneself"
NO_SUCH_USER = "no_such_user"


async def follow(services: Services, follower: User, followee_id: str) -> bool:
    """A user at a page follows another. False: it was so already. Raises Refused for oneself and for somebody nobody heard of."""
    if followee_id == follower.id:
        raise Refused("You cannot follow yourself", code=ONESELF)
    try:
        return await addressing(services, followee_id, partial(_follow, services, follower, followee_id))
    except NotFound:
        raise Refused("There is no such user", code=NO_SUCH_USER) from None


async def connect(services: Services, follower_id: str, followee_id: str) -> tuple[FollowRow, bool]:
    """The back office says who follows whom; new ids make users. Returns the row, and whether it is new."""
    async with notifying(services) as notifier:
        session = notifier.session
        await ensure_users(session, {follower_id, followee_id})
        user = connected_user(services.hub, follower_id)
        name = user.name if user is not None else (await session.get_one(UserRow, follower_id)).name
        row, is_new = await _add(notifier, follower_id, followee_id, name)
    return row, is_new


async def unfollow(services: Services, follower_id: str, followee_id: str) -> bool:
    """Follow no longer. False: it was so already."""
    async with services.database.transaction() as session:
        return await store.remove(session, follower_id, followee_id)


async def _follow(services: Services, follower: User, followee_id: str) -> bool:
    async with notifying(services) as notifier:
        await addressed(notifier.session, services.hub, followee_id)
        await ensure_signed_in(notifier.session, [follower])
        _, is_new = await _add(notifier, follower.id, followee_id, follower.name)
    return is_new


async def _add(notifier: Notifier, follower_id: str, followee_id: str, follower_name: str) -> tuple[FollowRow, bool]:
    """Store the follow and, when it is new, its notification: both, or none."""
    row, is_new = await store.add(notifier.session, follower_id, followee_id)
    if is_new:
        message = f"{follower_name} started following you"
        await notifier.add(user_ids=[followee_id], kind="info", title="New Follower", message=message)
    return row, is_new
