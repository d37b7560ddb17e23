"""Pages that note all that they are shown, and come back as `wsx.js` does; at a gap they read their lists anew."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import count
from typing import Any

from api_tests.faults.checker import Gap, History, Listed, Seen
from api_tests.faults.crowd import RETRY_S, Page
from app.kernel.clock import monotonic

MARK = re.compile(r"~(\w+)~")
FEED = "#live-feed"
"""Where broadcasts go, which are not stored."""
MAX_HEARD = 1_000
"""As `wsx.js`: ids of what it was told, by which it drops what is pushed again."""
APPENDING = frozenset({"beforeend", "afterbegin"})

ReadAnew = Callable[["Witness"], Awaitable[Iterable[str]]]
"""The marks of what is stored for a page, as its site would show it."""


def marked(mark: str) -> str:
    """A text with this mark."""
    return f"~{mark}~"


class Refused(Exception):
    """What was asked was not done, or nobody knows whether it was."""


class Witness(Page):
    """One page of a signed-in user."""

    def __init__(
        self,
        urls: Sequence[str],
        name: str,
        token: str,
        read_anew: ReadAnew,
        *,
        room_id: str = "",
        retry_s: float = RETRY_S,
    ) -> None:
        """`name`: also its user's id. `room_id`: it is in this room, and comes back with its session.

        One that is in no room says its cursor alone: no node has to know more of it, and a killed one does not even cost it a gap.
        """
        super().__init__(urls, retry_s, token=token)
        self.history = History(name, FEED)
        self.room_id = room_id
        self.reads_anew = True
        """Else it counts on what it is pushed, whatever it is told."""
        self.ready = asyncio.Event()
        """It is connected, in its room, and has read what it must."""
        self.ready_at = 0.0
        self.lost_at: list[float] = []
        self.seen_at: dict[str, float] = {}
        """By mark, when it was first shown."""
        self._read_anew = read_anew
        self._known_ids: OrderedDict[str, None] = OrderedDict()
        self._asked: dict[str, asyncio.Future[Any]] = {}
        self._numbers = count(1)

    @property
    def name(self) -> str:
        return self.history.name

    @property
    def is_quiet(self) -> bool:
        """Whether it has done all that it has to do."""
        return self.ready.is_set() and not self._tasks

    @property
    def gaps(self) -> int:
        """How many it was told."""
        return sum(isinstance(event, Gap) for event in self.history.events)

    async def ask(self, handler: str, data: dict[str, Any]) -> Any:
        """Ask a handler; its answer. Raises Refused when the connection ends before."""
        if not self.is_connected:
            raise Refused("it is not connected")
        request_id = f"req_{next(self._numbers)}"
        answer = self._asked[request_id] = asyncio.get_running_loop().create_future()
        self.say({"id": request_id, "handler": handler, "target": "#answer", "trigger": "submit", "data": data})
        return await answer

    async def send_message(self, text: str) -> None:
        """Say it in its room. Raises Refused."""
        answer = await self.ask("send-message", {"roomId": self.room_id, "message": text})
        if answer["target"] != "#message-input":
            raise Refused(answer["html"])

    # -- what it is told ---------------------------------------------------------------------------------------------
    def _greeted(self, *, has_missed: bool, is_resumed: bool) -> None:
        if not self.room_id:
            self.session = ""
        self._begin(self._settle(is_resumed=is_resumed, has_missed=has_missed))

    async def _settle(self, *, is_resumed: bool, has_missed: bool) -> None:
        """Come into the room, then read anew what a gap has hidden: nothing falls between the two."""
        try:
            if self.room_id and not is_resumed:
                await self.ask("join-room", {"roomId": self.room_id})
            if has_missed:
                await self._read()
        except Refused:
            return  # gone again
        self.ready_at = monotonic()
        self.ready.set()

    async def _read(self) -> None:
        if self.reads_anew:
            self._list(await self._read_anew(self))

    def _received(self, message: Any, known: str) -> None:
        publication_id = message.get("id", "")
        match message.get("type"):
            case "gap":
                self.history.events.append(Gap(known, message["cursor"], frozenset(message["targets"]), monotonic()))
                if self.ready.is_set():  # else it is read when it has settled
                    self._begin(self._read())
                return
            case "error":
                return  # the answer itself follows
        answer = self._asked.pop(publication_id, None)
        updates = message.get("updates") or [message, *({"id": publication_id, **more} for more in message.get("oob", ()))]
        self._show([update for update in updates if update.get("id") not in self._known_ids], message.get("cursor", ""))
        self._know(update["id"] for update in updates if answer is None and update.get("id"))
        if answer is not None and not answer.done():
            answer.set_result(message)

    def _know(self, ids: Iterable[str]) -> None:
        self._known_ids.update(dict.fromkeys(ids))
        while len(self._known_ids) > MAX_HEARD:
            self._known_ids.popitem(last=False)

    def _show(self, updates: Sequence[Any], cursor: str) -> None:
        """What takes the place of something is no second showing: it may stand on a list from now on."""
        is_in_place = any(update["swap"] == "delete" for update in updates)
        for update in updates:
            marks = dict.fromkeys(MARK.findall(update["html"]))
            if is_in_place or update["swap"].partition(" ")[0] not in APPENDING:
                self._list(marks)
            else:
                for mark in marks:
                    self._note(mark)
                    self.history.events.append(Seen(mark, cursor, monotonic()))

    def _list(self, marks: Iterable[str]) -> None:
        for mark in marks:
            self._note(mark)
            self.history.events.append(Listed(mark, monotonic()))

    def _note(self, mark: str) -> None:
        self.seen_at.setdefault(mark, monotonic())

    def _lost(self) -> None:
        self.lost_at.append(monotonic())
        self.ready.clear()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(Refused("the connection ended"))
        self._asked.clear()
