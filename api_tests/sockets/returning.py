"""A page that remembers where it was, as `wsx.js` does, and comes back."""

from typing import Any
from urllib.parse import urlencode

from api_tests.client import SocketClient
from api_tests.server import Running
from api_tests.waiting import eventually


class Visitor:
    """One page over many connections: `async with visitor.visit() as page`, and all that it was told, in order."""

    def __init__(self, server: Running, user_id: str | None = None, *, target: str = "#a", **how: Any) -> None:
        self.server = server
        self.target = target
        self.user_id = user_id
        self.how = how
        self.cursor: str | None = None
        self.session: str | None = None
        self.heard: list[str] = []
        """The HTML for the target that it looks at."""
        self.gaps: list[Any] = []

    @property
    def path(self) -> str:
        said = {name: value for name in ("cursor", "session") if (value := getattr(self, name)) is not None}
        return "/ws" + (f"?{urlencode(said)}" if said else "")

    def visit(self, **how: Any) -> "Visit":
        return Visit(self, **self.how | how)


class Visit(SocketClient):
    """One connection of a visitor."""

    def __init__(self, visitor: Visitor, **how: Any) -> None:
        self.visitor = visitor
        server, user_id = visitor.server, how.pop("user_id", visitor.user_id)
        token = server.token(user_id, roles=how.pop("roles", ())) if user_id is not None else None
        super().__init__(server.url.replace("http", "ws"), token=token, path=how.pop("path", visitor.path), **how)

    async def next(self, within: float = 5.0) -> Any:
        message = await super().next(within)
        visitor = self.visitor
        if message.get("type") == "hello":
            visitor.session = message["session"]
            visitor.cursor = visitor.cursor or message["cursor"]
            return message
        if message.get("type") == "gap":
            visitor.gaps.append(message)
        visitor.cursor = message.get("cursor", visitor.cursor)
        visitor.heard += [update["html"] for update in message.get("updates", [message]) if update.get("target") == visitor.target]
        return message

    async def hear(self, html: str) -> None:
        """Read on until the target was told this."""
        while html not in self.visitor.heard[-1:]:
            await self.next()


async def away(visitor: Visitor) -> None:
    """The page is gone, and the server has noticed."""
    await eventually(lambda: len(visitor.server.hub.registry) == 0)
