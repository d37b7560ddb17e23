"""Each kind of change of a stored thing, and what a page that shows the thing hears of it."""

import re
from typing import Any, NamedTuple, Self

from api_tests.client import ApiClient, SocketClient
from api_tests.features.screen import fragments
from api_tests.features.talking import join

ROOM = "lobby"
READER = {"user_id": "ada", "roles": ("admin",)}
"""Whoever hears of all of it."""


class Change(NamedTuple):
    """A call of the REST interface. `{room}`, `{private}`, … in its path: the ids of what `prepare` has stored."""

    what: str
    method: str
    path: str
    body: Any
    target: str
    html: str
    """Part of what is heard."""

    def is_in(self, message: Any) -> bool:
        """Whether a page is told of the change by this message."""
        return any(self.target in part["target"] and self.html in part["html"] for part in fragments(message))

    @property
    def again(self) -> Self:
        """What a page hears of a second push: a node knows whether its pages show an announcement, and where that is."""
        return self._replace(target="#announcement-") if self.target == "#announcements" else self


CHANGES = [
    Change("message.said", "POST", f"/rooms/{ROOM}/messages", {"message": "said to all"}, "#chat-messages", "said to all"),
    Change("message.edited", "PATCH", "/messages/{room}", {"message": "edited for all"}, "data-message-id", "edited for all"),
    Change("message.edited", "PATCH", "/messages/{private}", {"message": "edited for Ada"}, "data-message-id", "edited for Ada"),
    Change("message.removed", "DELETE", "/messages/{room}", None, "data-message-id", ""),
    Change("message.removed", "DELETE", "/messages/{private}", None, "data-message-id", ""),
    Change(
        "notification.arrived", "POST", "/notifications", {"user_ids": ["ada", "zoe"], "title": "Psst"}, "#notifications", "Psst"
    ),
    Change("notification.changed", "PUT", "/notifications/{unread}/read", None, "#notification-", "read"),
    Change("notification.changed", "PUT", "/notifications/{unread}/archived", None, "#notification-", ""),
    Change("notification.back", "DELETE", "/notifications/{archived}/archived", None, "#notifications", "put away"),
    Change("notification.all-read", "POST", "/users/ada/notifications/read-all", None, "#notifications", "not read yet"),
    Change("announcement.published", "POST", "/announcements", {"message": "new", "priority": "low"}, "#announcements", "new"),
    Change("announcement.edited", "PATCH", "/announcements/{announcement}", {"message": "edited"}, "#announcement-", "edited"),
    Change("announcement.moved", "PATCH", "/announcements/{announcement}", {"priority": "low"}, "#announcements", "old"),
    Change("announcement.recalled", "DELETE", "/announcements/{announcement}", None, "#announcement-", ""),
]
NAMES = [f"{change.what} {change.path.partition('{')[2].rstrip('}')}".strip() for change in CHANGES]


async def prepare(api: ApiClient, page: SocketClient) -> dict[str, str]:
    """Store one thing of each kind, shown by the page, which is in the room. Returns their ids by the names in the paths."""
    assert (await api.post("/rooms", {"id": ROOM, "name": "Lobby"})).status_code in {201, 409}
    await join(page, ROOM)
    room = (await api.post(f"/rooms/{ROOM}/messages", {"message": "old"})).json()["id"]
    await write(page, "old")
    written = await page.next_of("#messages")
    ids = {"room": room, "private": re.search(r'data-message-id="([^"]+)"', written["html"])[1]}
    for name, title in (("unread", "not read yet"), ("archived", "put away")):
        answer = await api.post("/notifications", {"user_ids": ["ada"], "title": title})
        ids[name] = answer.json()["items"][0]["id"]
    assert (await api.put(f"/notifications/{ids['archived']}/archived")).is_success
    ids["announcement"] = (await api.post("/announcements", {"message": "old", "priority": "high"})).json()["id"]
    await api.broadcast("prepared")
    while "prepared" not in str(await page.next()):
        pass
    return ids


async def write(page: SocketClient, text: str) -> None:
    """Ask for a private message to Ada; the answer is not waited for."""
    await page.say({"id": "pm", "handler": "private-message", "data": {"recipientId": "ada", "message": text}})


async def make(api: ApiClient, change: Change, ids: dict[str, str]) -> Any:
    """Make the change; the answer, which is no error."""
    answer = await api.call(change.method, change.path.format(**ids), change.body)
    assert answer.is_success, answer.text
    return answer


async def hear(page: SocketClient, change: Change) -> Any:
    """The next message that tells of the change."""
    while not change.is_in(message := await page.next()):
        pass
    return message
