"""All ways into the application, each behind the proxies that are trusted."""

from collections.abc import Awaitable, Callable

from app.auth.admission import Admission
from app.auth.origins import Origins
from app.settings import Settings
from app.web import stream
from app.web.addresses import HandshakeLimit
from app.web.conversation import Talk
from app.web.entry import Entry, EntryRules
from app.web.front import Asgi, CountRequest, Front
from app.web.proxies import TrustedProxies
from app.web.socket import SocketDoor
from app.web.stream import StreamDoor


def make_front(
    settings: Settings,
    http: Asgi,
    talk: Talk,
    admission: Admission,
    drain: Callable[[], Awaitable[None]],
    *,
    count: CountRequest,
    sockets_first: Callable[[Asgi], Asgi],
) -> Front:
    """The front door. `count`: as `Front` has it. `sockets_first`: what stands before the door of sockets.

    Raises SettingsError for origins and proxies that are none.
    """
    rules = EntryRules(
        Origins(settings.allowed_origins),
        HandshakeLimit(settings.handshake_rate_per_s, settings.handshake_burst),
        allow_anonymous=settings.allow_anonymous,
        auth_timeout_s=settings.auth_timeout_s,
        max_sockets_per_user=settings.max_sockets_per_user,
    )
    entry = Entry(talk.hub, admission, rules)
    streams = StreamDoor(talk, entry, heartbeat_s=settings.ping_interval_s)
    behind = TrustedProxies(settings.trusted_proxies).in_front_of
    return Front(behind(http), behind(sockets_first(SocketDoor(talk, entry))), {stream.PATH: behind(streams)}, drain, count)
