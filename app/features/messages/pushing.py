"""What is published when messages change, and a second look at it."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

from app.features.messages import store, view
from app.features.messages.model import MessageRow, Told
from app.features.second_look import SecondLook
from app.features.services import Services
from app.hub.audience import Audience, Rooms, rooms, users
from app.hub.publication import Part, Publication
from app.kernel.ids import new_short_id


def audience_of(row: MessageRow) -> Audience:
    """Who hears of a message."""
    return rooms(row.room_id) if row.room_id is not None else users(row.recipient_id or "")


def edited(publication_id: str, row: MessageRow) -> Publication:
    """It says something else."""
    news = Told(row.id, row.room_id, "edited").news() if row.room_id is not None else None
    return Publication(publication_id, (Part(audience_of(row), view.edited(row)),), news=news)


def removed(publication_id: str, message_id: UUID, heard_by: Audience) -> Publication:
    """It is gone."""
    news = None
    if isinstance(heard_by, Rooms):
        (room_id,) = heard_by.ids
        news = Told(message_id, room_id, "removed").news()
    return Publication(publication_id, (Part(heard_by, view.removed(message_id)),), news=news)


class _Shown(NamedTuple):
    """What was told of a message."""

    heard_by: Audience
    content: bytes
    """A digest of it. Empty: it is not known what."""
    edited_at: datetime | None = None


class Looks:
    """At messages that were pushed. Of new ones in rooms only at those that were changed before they came to the journal."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._looks = SecondLook("messages that were shown", find_changed=self._find_changed, push=self._push)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look while the server runs."""
        async with self._looks.running():
            yield

    def told(self, row: MessageRow) -> None:
        """It was shown so."""
        self._looks.told(row.id, _shown(row))

    def told_late(self, message_id: UUID, room_id: str) -> None:
        """A new one was shown behind a change of it."""
        self._looks.told(message_id, _Shown(rooms(room_id), b""))

    def told_removed(self, message_id: UUID) -> None:
        """It was taken away."""
        self._looks.told_gone(message_id)

    async def _find_changed(self, told: Mapping[UUID, _Shown]) -> Collection[UUID]:
        stored = await self._stored(told)
        return [one for one, shown in told.items() if (row := stored.get(one)) is None or _shown(row) != shown]

    async def _push(self, wrong: Mapping[UUID, _Shown]) -> None:
        stored, hub = await self._stored(wrong), self._services.hub
        for message_id, shown in wrong.items():
            if (row := stored.get(message_id)) is None:
                await hub.publish(removed(new_short_id(), message_id, shown.heard_by))
            else:
                await hub.publish(edited(new_short_id(), row))
                self.told(row)

    async def _stored(self, message_ids: Collection[UUID]) -> Mapping[UUID, MessageRow]:
        async with self._services.database.reading() as session:
            return await store.by_id(session, message_ids)


def _shown(row: MessageRow) -> _Shown:
    return _Shown(audience_of(row), blake2b(row.content.encode(), digest_size=16).digest(), row.edited_at)
