"""People and a back office that say things all the time, by both nodes; and what was acknowledged of it."""

import asyncio
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from itertools import count
from typing import Any

import httpx

from api_tests.faults.checker import Sent
from api_tests.faults.witness import FEED, MARK, Refused, Witness, marked
from api_tests.server import ADMIN_KEY
from api_tests.waiting import MS, SOON_S
from app.kernel.clock import monotonic
from benchmarks.chance import Chance

MAX_UNDER_WAY = 64
GONE = (httpx.TransportError, AttributeError)
"""Nobody answers. The latter is what the library makes of a connection that ends in the moment in which it is made."""
PAGE_SIZE = 200
ROOM = "lobby"


class BackOffice:
    """Calls `/api/v1` of whichever node answers."""

    def __init__(self, urls: Sequence[str]) -> None:
        headers, limits = {"Authorization": f"Bearer {ADMIN_KEY}"}, httpx.Limits(max_connections=MAX_UNDER_WAY)
        self.nodes = [
            httpx.AsyncClient(base_url=f"{url}/api/v1", headers=headers, timeout=SOON_S, limits=limits, trust_env=False)
            for url in urls
        ]

    async def read(self, path: str) -> Any:
        """The answer's body, of the first node that gives one."""
        async with asyncio.timeout(SOON_S):
            while True:
                for node in self.nodes:
                    try:
                        return (await node.get(path)).raise_for_status().json()
                    except (httpx.HTTPStatusError, *GONE):
                        await asyncio.sleep(20 * MS)

    async def stored_for(self, page: Witness) -> set[str]:
        """The marks of what a page lists that is made anew; newest first, as far as there is anything that it does not know."""
        found: set[str] = set()
        paths = [f"/users/{page.name}/notifications", "/announcements"]
        for path in paths + ([f"/rooms/{page.room_id}/messages"] if page.room_id else []):
            more: str | None = f"{path}?limit={PAGE_SIZE}"
            while more is not None:
                answer = await self.read(more)
                marks = set(MARK.findall(str(answer["items"])))
                found.update(marks)
                is_known = marks <= page.seen_at.keys()
                more = (
                    None
                    if is_known or answer["next_cursor"] is None
                    else f"{path}?limit={PAGE_SIZE}&cursor={answer['next_cursor']}"
                )
        return found

    async def close(self) -> None:
        for node in self.nodes:
            await node.aclose()


class Burst:
    """Says one thing after the other, some at the same time; which, of what kind, and by which node is left to chance."""

    def __init__(self, office: BackOffice, pages: Sequence[Witness], chance: Chance) -> None:
        self.sent: list[Sent] = []
        self.statuses: list[tuple[str, int, float]] = []
        """Of the back office: kind, status, seconds. Who got no answer waited as well: its status is 0."""
        self.told_when: set[bool] = set()
        """Whether those who were refused for now were told when to come again."""
        self.asked: dict[str, str] = {}
        """By mark, the node that was asked."""
        self.in_order = True
        """To be set to False while Redis is away."""
        self._office = office
        self._pages = pages
        self._chance = chance
        self._numbers = count()
        self._slots = asyncio.Semaphore(MAX_UNDER_WAY)
        self._under_way: set[asyncio.Task[None]] = set()
        self._talk: asyncio.Task[None] | None = None

    async def run(self, per_s: float, seconds: float) -> None:
        """So many a second. Returns when the last one was answered, or was not."""
        began = monotonic()
        for number in range(round(per_s * seconds)):
            await asyncio.sleep(max(0.0, began + number / per_s - monotonic()))
            await self._slots.acquire()
            task = asyncio.create_task(self.say_one())
            self._under_way.add(task)
            task.add_done_callback(self._done)
        await self.settled()

    def start(self, per_s: float, seconds: float) -> asyncio.Task[None]:
        """The same, beside what else is done."""
        self._talk = asyncio.create_task(self.run(per_s, seconds))
        return self._talk

    async def stop(self) -> None:
        """Whatever is under way ends."""
        tasks = [*self._under_way, *([self._talk] if self._talk is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settled(self) -> None:
        """Nothing is under way."""
        if self._under_way:
            await asyncio.wait(tuple(self._under_way))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._slots.release()
        if not task.cancelled():
            task.result()

    async def say_one(self) -> None:
        """Half of it in the room, by its people; the rest by the back office, to all, to one, and in the room."""
        saying = self._chance.choices((self._in_room, self._to_one, self._to_all, self._by_office), (50, 20, 20, 10))[0]
        await saying(f"m{next(self._numbers)}")

    async def _in_room(self, mark: str) -> None:
        ready = [page for page in self._pages if page.room_id and page.ready.is_set()]
        if not ready:
            return
        asked_at = monotonic()
        page = self._chance.choice(ready)
        self.asked[mark] = page.url
        try:
            await page.send_message(marked(mark))
        except Refused:
            self._note(mark, self._people(), asked_at, None)
        else:
            self._note(mark, self._people(), asked_at, monotonic())

    async def _by_office(self, mark: str) -> None:
        await self._post("room", f"/rooms/{ROOM}/messages", {"message": marked(mark)}, mark, self._people())

    async def _to_one(self, mark: str) -> None:
        name = self._chance.choice(self._pages).name
        await self._post("notification", "/notifications", {"user_ids": [name], "title": marked(mark)}, mark, [name])

    async def _to_all(self, mark: str, node: httpx.AsyncClient | None = None) -> None:
        body = {"audience": {"kind": "everyone"}, "target": FEED, "html": f"<p>{marked(mark)}</p>", "swap": "beforeend"}
        await self._post("broadcast", "/broadcasts", body, mark, [page.name for page in self._pages], is_stored=False, node=node)

    async def say_to_all(self, node: httpx.AsyncClient) -> str:
        """By this node; the mark."""
        mark = f"m{next(self._numbers)}"
        await self._to_all(mark, node)
        return mark

    def _people(self) -> list[str]:
        return [page.name for page in self._pages if page.room_id]

    async def _post(
        self,
        kind: str,
        path: str,
        body: Any,
        mark: str,
        hearers: Iterable[str],
        *,
        is_stored: bool = True,
        node: httpx.AsyncClient | None = None,
    ) -> None:
        node = node or self._chance.choice(self._office.nodes)
        asked_at = monotonic()
        self.asked[mark] = f"http://{node.base_url.netloc.decode()}"
        try:
            answer = await node.post(path, json=body)
        except GONE:
            self.statuses.append((kind, 0, monotonic() - asked_at))
            self._note(mark, hearers, asked_at, None, is_stored=is_stored)
            return
        answered_at = monotonic()
        self.statuses.append((kind, answer.status_code, answered_at - asked_at))
        if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            self.told_when.add("Retry-After" in answer.headers)
        is_done = answer.is_success
        self._note(mark, hearers, asked_at, answered_at if is_done else None, is_stored=is_stored)

    def _note(
        self, mark: str, hearers: Iterable[str], asked_at: float, answered_at: float | None, *, is_stored: bool = True
    ) -> None:
        self.sent.append(Sent(mark, frozenset(hearers), is_stored, asked_at, answered_at, self.in_order))
