"""The socket of the console's pages, `/console/ws`: behind the same door as others, with the console's cookie."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from app.auth.admission import Admission
from app.auth.origins import Origins
from app.features.console import gate
from app.features.console.live import Live
from app.features.console_sessions import Sessions
from app.features.services import Services
from app.kernel.errors import Unauthenticated
from app.kernel.identity import User
from app.web.addresses import HandshakeLimit
from app.web.conversation import Talk
from app.web.entry import Entry, EntryRules
from app.web.front import Asgi, Receive, Scope, Send
from app.web.socket import SocketDoor

PATH: Final = f"{gate.PATH}/ws"


class _Admission(Admission):
    """Knows who is signed in to the console, and nobody else."""

    def __init__(self, services: Services, sessions: Sessions) -> None:
        super().__init__(services.tokens, services.tickets)
        self._sessions = sessions

    async def user(
        self,
        headers: Mapping[bytes, bytes],
        offered: Iterable[str],  # noqa: ARG002 - of the class that stands here for
        query: Mapping[str, Sequence[str]],  # noqa: ARG002 - as above
        *,
        believe_cookie: bool,
    ) -> User:
        """The session, as the user of the console's hub, whose role is its key. Raises Unauthenticated, Unavailable."""
        cookie = gate.cookie_of(headers.items()) if believe_cookie else None
        session = await self._sessions.find(cookie)
        if session is None:
            raise Unauthenticated("sign in to the console first")
        return User(session.id, session.caller.name, frozenset({session.caller.key_id}), expires_at=session.ends_at)


def in_front_of(others: Asgi, services: Services, sessions: Sessions, live: Live) -> Asgi:
    """An ASGI application that takes the console's sockets, and leaves all others."""
    settings = services.settings
    talk = Talk(live.hub, live.handlers, settings.socket_rate_per_s, settings.socket_burst, set(), set(), Counter())
    rules = EntryRules(
        Origins(()),
        HandshakeLimit(settings.handshake_rate_per_s, settings.handshake_burst),
        allow_anonymous=False,
        auth_timeout_s=settings.auth_timeout_s,
        max_sockets_per_user=settings.max_sockets_per_user,
    )
    own = SocketDoor(talk, Entry(live.hub, _Admission(services, sessions), rules), PATH, {})

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == PATH:
            if services.hub.is_draining:
                live.hub.is_draining = True
            await own(scope, receive, send)
        else:
            await others(scope, receive, send)

    return door
