"""Connections as the REST interface lists them."""

from app.db.page import encode_cursor
from app.features.listing import ClusterPage
from app.hub.audience import AllOf, Audience, everyone, roles, rooms, users
from app.hub.everywhere import Some
from app.hub.listed import ConnectionInfo


class ConnectionPage(ClusterPage[ConnectionInfo]):
    """One page of connections."""


def filtered(user_id: str | None, role: str | None, room_id: str | None) -> Audience:
    """The audience that the filters of a list mean."""
    wanted: list[Audience] = [users(user_id)] if user_id is not None else []
    if role is not None:
        wanted.append(roles(role))
    if room_id is not None:
        wanted.append(rooms(room_id))
    return AllOf(tuple(wanted)) if wanted else everyone


def page(found: Some[ConnectionInfo]) -> ConnectionPage:
    """As an answer: by id, and so nearly oldest first. New ones come at the end, so that no page shifts."""
    return ConnectionPage(found.items, encode_cursor(found.items[-1].id) if found.has_more else None, list(found.missing))
