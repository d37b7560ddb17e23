"""A reader of server-sent events, as strict as a browser's."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Self

import httpx

from api_tests.waiting import SOON_S


class Event(NamedTuple):
    """What a browser would dispatch; `name` is "message" where the stream gives none."""

    name: str
    data: str
    last_id: str

    @property
    def json(self) -> Any:
        return json.loads(self.data)


class EventClient:
    """One stream: `async with EventClient(url) as stream`. It has read the `hello` when the block begins."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(SOON_S, read=None))
        self._request = self._http.build_request("GET", url, headers={"Accept": "text/event-stream", **(headers or {})})
        self.response: httpx.Response
        self.hello: Any = None
        self.last_id = ""
        self.retry_ms: int | None = None
        self.comments = 0

    async def __aenter__(self) -> Self:
        self.response = await self._http.send(self._request, stream=True)
        assert 200 == self.response.status_code, (await self.response.aread()).decode()
        self._events = self._read()
        first = await self.next()
        assert "hello" == first.name
        self.hello = first.json
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.response.aclose()
        await self._http.aclose()

    async def next(self, within: float = SOON_S) -> Event:
        """The next event."""
        async with asyncio.timeout(within):
            return await anext(self._events)

    async def next_of(self, words: str, within: float = SOON_S) -> Event:
        """The next one that holds these words."""
        async with asyncio.timeout(within):
            while words not in (event := await self.next()).data:
                pass
        return event

    async def until(self, words: str, within: float = SOON_S) -> list[Event]:
        """All that comes until one holds these words, and that one."""
        events: list[Event] = []
        async with asyncio.timeout(within):
            while not events or words not in events[-1].data:
                events.append(await self.next())
        return events

    async def all_before_the_cut(self, within: float = SOON_S) -> list[Event]:
        """All that came whole until the connection was cut."""
        events: list[Event] = []
        with suppress(httpx.TransportError, StopAsyncIteration):
            async with asyncio.timeout(within):
                while True:
                    events.append(await anext(self._events))
        return events

    async def all(self, within: float = SOON_S) -> list[Event]:
        """All that comes until the stream ends."""
        async with asyncio.timeout(within):
            return [event async for event in self._events]

    async def _read(self) -> AsyncIterator[Event]:
        name, data, last_id = "", [], ""
        async for line in self.response.aiter_lines():
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if line.startswith(":"):
                self.comments += 1
            elif field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                last_id = value
            elif field == "retry":
                self.retry_ms = int(value)
            elif not line:  # what is cut off before has moved nobody
                self.last_id = last_id
                if data:
                    yield Event(name or "message", "\n".join(data), self.last_id)
                name, data = "", []
