"""A second look at what users were shown of their notifications: the badge, the list, and what stands on it."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from app.features.notifications import store, view
from app.features.notifications.model import NotificationRow
from app.features.second_look import SecondLook
from app.features.services import Services
from app.hub.audience import users
from app.hub.publication import Part, Publication, one
from app.kernel.ids import new_short_id

LISTED = 50
"""Notifications that a list shows which is made anew."""
BADGES_AT_ONCE = 200
"""Badges in one publication: some milliseconds, then others have their turn."""


_Moments = Sequence[datetime | None]
"""When a notification was seen, read, archived; None: it is not."""
_Listed = Sequence[tuple[UUID, _Moments]]


class Looks:
    """One that was only seen changes in its place; of one that was read or put away the list is made anew.

    It may be on screens twice, or not at all, where its push crossed that of the whole list.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._rows = SecondLook("notifications shown", find_changed=self._find_changed_rows, push=self._push_rows)
        self._lists = SecondLook("lists of notifications shown", find_changed=self._find_changed_lists, push=self._push_lists)
        self._badges = SecondLook("badges shown", find_changed=self._find_changed_badges, push=self._push_badges)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look while the server runs."""
        async with self._badges.running(), self._lists.running(), self._rows.running():
            yield

    def told(self, rows: Collection[NotificationRow], unread: Mapping[str, int]) -> None:
        """These were shown so, and the badges of their users with these numbers. Who is out of reach was shown nothing."""
        there = self._services.hub.reach.within({row.user_id for row in rows})
        for row in rows:
            if row.user_id in there:
                self._rows.told(row.id, _moments_of(row))
                self._badges.told(row.user_id, unread[row.user_id])

    def told_list(self, user_id: str, rows: Sequence[NotificationRow], unread: int) -> None:
        """The whole list was shown so, and the badge with this number."""
        self._lists.told(user_id, _listed(rows))
        self._badges.told(user_id, unread)
        for row in rows:
            self._rows.told(row.id, _moments_of(row))

    async def _find_changed_rows(self, told: Mapping[UUID, _Moments]) -> Collection[UUID]:
        async with self._services.database.reading() as session:
            stored = await store.states(session, told.keys())
        return [one for one, moments in stored.items() if moments != told[one]]

    async def _push_rows(self, wrong: Mapping[UUID, _Moments]) -> None:
        async with self._services.database.reading() as session:
            rows = await store.by_id(session, wrong.keys())
        seen = [row for row in rows if _moments_of(row)[1:] == wrong[row.id][1:]]
        moved = [row for row in rows if _moments_of(row)[1:] != wrong[row.id][1:]]
        counts = await self._counts({row.user_id for row in seen})
        for row in seen:
            unread = counts[row.user_id].unread
            await self._services.hub.publish(one(users(row.user_id), view.changed(row, unread)))
            self.told([row], {row.user_id: unread})
        await self._push_lists({row.user_id for row in moved})

    async def _find_changed_badges(self, told: Mapping[str, int]) -> Collection[str]:
        counts = await self._counts(told)
        return [user_id for user_id, unread in told.items() if counts[user_id].unread != unread]

    async def _push_badges(self, wrong: Collection[str]) -> None:
        counts = list((await self._counts(wrong)).items())
        for start in range(0, len(counts), BADGES_AT_ONCE):
            share = counts[start : start + BADGES_AT_ONCE]
            parts = tuple(Part(users(user_id), view.counted(count.unread)) for user_id, count in share)
            await self._services.hub.publish(Publication(new_short_id(), parts))
            for user_id, count in share:
                self._badges.told(user_id, count.unread)

    async def _find_changed_lists(self, told: Mapping[str, _Listed]) -> Collection[str]:
        return [user_id for user_id, listed in told.items() if _listed(await self._newest(user_id)) != listed]

    async def _push_lists(self, wrong: Collection[str]) -> None:
        counts = await self._counts(wrong)
        for user_id in wrong:
            rows, unread = await self._newest(user_id), counts[user_id].unread
            await self._services.hub.publish(one(users(user_id), view.listed(rows, unread)))
            self.told_list(user_id, rows, unread)

    async def _counts(self, user_ids: Collection[str]) -> Mapping[str, store.Counts]:
        async with self._services.database.reading() as session:
            return await store.counts(session, user_ids)

    async def _newest(self, user_id: str) -> Sequence[NotificationRow]:
        async with self._services.database.reading() as session:
            return await store.newest(session, user_id, LISTED)


def _moments_of(row: NotificationRow) -> _Moments:
    return [row.seen_at, row.read_at, row.archived_at]


def _listed(rows: Sequence[NotificationRow]) -> _Listed:
    return [(row.id, _moments_of(row)) for row in rows]
