"""REST: connection tokens and tickets."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from litestar.params import JSONBody
from msgspec import Meta

from app.auth.tickets import KEPT_S
from app.features.services import GivenServices
from app.features.tokens import service
from app.hub.audience import Id
from app.kernel.text import NO_NUL
from app.web.operation import operation

TAG: Final = "Tokens"
MAX_ROLES: Final = 50
"""As many as a connection token may hold."""
MAX_TTL_S: Final = 2_678_400
"""31 days. A token that lasts longer is a password."""


class ForUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For whom it is, and for how long."""

    user_id: Id
    name: Annotated[str, Meta(max_length=200, pattern=NO_NUL, description="What other people see; empty: the id")] = ""
    roles: Annotated[frozenset[Id], Meta(max_length=MAX_ROLES)] = frozenset()
    ttl_s: Annotated[int, Meta(ge=1, le=MAX_TTL_S, description="Seconds until the connection ends, unless it is renewed")] = 3_600

    @property
    def who(self) -> service.Who:
        """As the use cases want it."""
        return service.Who(self.user_id, self.name, self.roles)

    @property
    def ttl(self) -> timedelta:
        """As the use cases want it."""
        return timedelta(seconds=self.ttl_s)


class ConnectionToken(msgspec.Struct):
    """A token for a page of the user."""

    token: Annotated[str, Meta(description="For the cookie `wsx_token`, the subprotocol `wsx.token.<token>`, or `authenticate`")]
    expires_at: datetime


class Ticket(msgspec.Struct):
    """A ticket for one handshake."""

    ticket: Annotated[str, Meta(description="For `/ws?ticket=`, once")]
    use_within_s: Annotated[int, Meta(description="Seconds in which the socket is to be opened")]
    expires_at: Annotated[datetime, Meta(description="When the connection ends, unless it is renewed")]


_SAID: Final = {"user_id": "ada", "name": "Ada Lovelace", "roles": ["premium"], "ttl_s": 3600}


@operation(
    "POST",
    "/connection-tokens",
    scope="tokens:write",
    tag=TAG,
    summary="Make a connection token",
    status=HTTPStatus.CREATED,
    takes=_SAID,
    gives={"token": "eyJhbGciOiJIUzI1NiIs…", "expires_at": "2026-11-27T10:00:00Z"},
    errors=[409],
    keeps_answer=False,
)
async def create_connection_token(data: JSONBody[ForUser], services: GivenServices) -> ConnectionToken:
    """Whoever holds it is this user, with these roles. 409 where only public keys are set: then the site alone can make tokens."""
    made = service.make_token(services, data.who, data.ttl)
    return ConnectionToken(made.text, made.expires_at)


@operation(
    "POST",
    "/tickets",
    scope="tokens:write",
    tag=TAG,
    summary="Make a ticket",
    status=HTTPStatus.CREATED,
    takes=_SAID,
    gives={"ticket": "3sGk0t7Qy…", "use_within_s": 30, "expires_at": "2026-11-27T10:00:00Z"},
    keeps_answer=False,
)
async def create_ticket(data: JSONBody[ForUser], services: GivenServices) -> Ticket:
    """For pages that can send neither a cookie nor a subprotocol: good for one handshake, on whatever node, within 30 seconds."""
    made = await service.make_ticket(services, data.who, data.ttl)
    return Ticket(made.text, int(KEPT_S), made.expires_at)


routes = [create_connection_token, create_ticket]
