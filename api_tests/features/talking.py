"""What people do in rooms, and what those hear who listen to events."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from api_tests.client import SocketClient
from api_tests.features.screen import Screen
from api_tests.server import Running
from api_tests.waiting import MS
from app.features.chat import actions
from app.hub.hub import Hub

CHAT = "#chat-messages"
CLOSED = "This room cannot be joined"
NOT_IN = "You are not in this room"


async def join(page: SocketClient, room_id: str) -> Screen:
    """Join, and return what the page shows of the room."""
    screen = Screen(CHAT)
    screen.apply(await page.ask("join-room", {"roomId": room_id}))
    return screen


async def say(page: SocketClient, text: str, room_id: str = "lobby") -> None:
    """Say something; what came meanwhile, its own message too, is passed over."""
    answer = await page.ask("send-message", {"message": text, "roomId": room_id})
    assert "#message-input" == answer["target"], answer


@contextmanager
def told(server: Running, *names: str) -> Iterator[list[Any]]:
    """What those are told who listen to these events: names and events."""
    heard: list[Any] = []
    listeners = {name: lambda event, name=name: heard.append((name, event)) for name in names}
    for name, listener in listeners.items():
        server.hub.events.on(name, listener)
    yield heard
    for name, listener in listeners.items():
        server.hub.events.off(name, listener)


def list_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on a moment passes between the reading of a room's last messages and their use."""
    read = actions.last_messages

    async def read_slowly(*what: Any) -> Any:
        messages = await read(*what)
        await asyncio.sleep(25 * MS)
        return messages

    monkeypatch.setattr(actions, "last_messages", read_slowly)


def push_slowly(monkeypatch: pytest.MonkeyPatch, hub: Hub) -> None:
    """From now on a moment passes between what this hub's node commits and its push."""
    publish = Hub.publish

    async def publish_slowly(of: Hub, publication: Any) -> Any:
        if of is hub:
            await asyncio.sleep(25 * MS)
        return await publish(of, publication)

    monkeypatch.setattr(Hub, "publish", publish_slowly)
