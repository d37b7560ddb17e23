"""What the demo page shows when it is loaded: all that is stored for its user. Everything else is pushed once it is connected."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from markupsafe import Markup

from app.features.demo import island
from app.features.demo.island import SPOTS
from app.features.demo.town import ROOMS
from app.features.follows import following
from app.features.fragments import fragments
from app.features.messages import last_private_messages
from app.features.notifications import inbox, notification_item
from app.features.services import Services
from app.kernel.clock import utc_now
from app.kernel.identity import User

MAX_FOLLOWED: Final = 200
"""Users whom the page knows as followed; for others it offers to follow them again, which changes nothing."""


class Persona(NamedTuple):
    """Somebody to come in as, by one click: into the first room, and to a place of the map."""

    role: str
    at: str
    story: str


PERSONAS: Final = {
    "Ada": Persona("admin", "Market", "runs the place"),
    "Bob": Persona("", "Harbour", "lives here"),
    "Cleo": Persona("premium", "Lighthouse", "pays for more"),
}
OTHER_NAME: Final = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}
"""A browser keeps cookies by host name, so under the other name of this machine it is somebody else."""


class Stored(NamedTuple):
    """What the database holds for one user."""

    notifications: Sequence[Markup] = ()
    unread_count: int = 0
    private_messages: Sequence[Markup] = ()
    followed: Sequence[str] = ()


async def render(services: Services, user: User | None, address: str) -> Markup:
    """The page for this user, or for nobody. Raises Unavailable."""
    cursor = services.hub.cursor()  # before anything is read: what is published meanwhile is shown when the page is connected
    return fragments.render(
        "demo/page.html",
        cursor=cursor,
        user=user,
        is_admin=user is not None and user.is_admin,
        stored=await _stored_for(services, user.id) if user is not None else Stored(),
        rooms=ROOMS,
        spots=SPOTS,
        here=island.MEASURES,
        personas=PERSONAS,
        address=address,
        second_window=_under_other_name(address),
        tomorrow=(utc_now() + timedelta(days=1)).strftime("%Y-%m-%dT22:00:00Z"),
    )


def _under_other_name(address: str) -> str:
    """The address at which this browser is not signed in as the same user; empty where there is none that we know of."""
    parts = urlsplit(address)
    other = OTHER_NAME.get(parts.hostname or "")
    return f"{parts.scheme}://{other}{f':{parts.port}' if parts.port else ''}/" if other else ""


async def _stored_for(services: Services, user_id: str) -> Stored:
    rows, waiting = await inbox(services, user_id)
    async with services.database.reading() as session:
        messages = await last_private_messages(session, user_id)
        followed = await following(session, user_id, limit=MAX_FOLLOWED, cursor=None)
    return Stored(
        [notification_item(row) for row in rows],
        waiting.unread,
        [shown for _, shown in messages],
        [one.user_id for one in followed.rows],
    )
