"""The verbs that tests speak: one client for REST, one for sockets."""

import asyncio
import json
from typing import Any, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api_tests.waiting import SOON_S


class ApiClient:
    """Calls `/api/v1` with a key. Answers are `httpx.Response`s; `get`, `post` and so on take the path below `/api/v1`."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url
        self.http = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=SOON_S)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def call(self, method: str, path: str, body: Any = None, **how: Any) -> httpx.Response:
        return await self.http.request(method, f"/api/v1{path}", json=body, **how)

    async def get(self, path: str, **how: Any) -> httpx.Response:
        return await self.call("GET", path, **how)

    async def post(self, path: str, body: Any = None, **how: Any) -> httpx.Response:
        return await self.call("POST", path, body, **how)

    async def put(self, path: str, body: Any = None, **how: Any) -> httpx.Response:
        return await self.call("PUT", path, body, **how)

    async def delete(self, path: str, **how: Any) -> httpx.Response:
        return await self.call("DELETE", path, **how)

    async def key_with(self, *scopes: str) -> str:
        """The text of a new key with just these scopes."""
        answer = await self.post("/api-keys", {"name": "test", "scopes": list(scopes)})
        assert 201 == answer.status_code, answer.text
        text: str = answer.json()["key"]
        return text

    async def broadcast(self, html: str, target: str = "#status", audience: Any = None, **more: Any) -> Any:
        """Broadcast, and return the receipt."""
        body = {"audience": audience or {"kind": "everyone"}, "target": target, "html": html, **more}
        answer = await self.post("/broadcasts", body)
        assert 202 == answer.status_code, answer.text
        return answer.json()


class SocketClient:
    """One socket. With `v1` (the default) it offers `wsx.v1` and has read its `hello` when the `async with` begins."""

    hello: dict[str, Any]

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        v1: bool = True,
        path: str = "/ws",
        headers: dict[str, str] | None = None,
        **how: Any,
    ) -> None:
        self._url = url + path
        self._v1 = v1
        offered = (["wsx.v1"] if v1 else []) + ([f"wsx.token.{token}"] if token else [])
        self._how = {"subprotocols": offered or None, "additional_headers": headers, "proxy": None, **how}
        self.raw: ClientConnection
        self.errors: list[Any] = []

    async def __aenter__(self) -> Self:
        self.raw = await connect(self._url, **self._how)
        if self._v1:
            self.hello = await self.next()
            assert "hello" == self.hello["type"]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.raw.close()

    @property
    def id(self) -> str:
        """The connection's id."""
        connection: str = self.hello["connection"]
        return connection

    async def next(self, within: float = SOON_S) -> Any:
        """The next message."""
        async with asyncio.timeout(within):
            return json.loads(await self.raw.recv())

    async def next_of(self, target: str, within: float = SOON_S) -> Any:
        """The next update for this target; others are passed over."""
        async with asyncio.timeout(within):
            while (message := await self.next(within)).get("target") != target:
                pass
        return message

    async def next_of_type(self, kind: str, within: float = SOON_S) -> Any:
        """The next message of this type; others are passed over."""
        async with asyncio.timeout(within):
            while (message := await self.next(within)).get("type") != kind:
                pass
        return message

    async def ask(self, handler: str, data: Any = None, *, target: str = "#answer", **more: Any) -> Any:
        """Send a request and return its answer; errors for programs go to `errors`."""
        await self.say({"id": "req_1", "handler": handler, "target": target, "trigger": "click", "data": data or {}, **more})
        async with asyncio.timeout(SOON_S):
            while True:
                message = await self.next()
                if message.get("type") == "error":
                    self.errors.append(message)
                elif message.get("id") == "req_1":
                    return message

    async def say(self, message: Any) -> None:
        """Send a message as JSON."""
        await self.raw.send(json.dumps(message))

    async def hears_nothing_but(self, marker: str) -> None:
        """The next message is the one that holds the marker: whatever was sent before it did not reach this client."""
        message = await self.next()
        assert marker in json.dumps(message), f"heard {message}"

    async def closed(self, within: float = SOON_S) -> tuple[int, str]:
        """Code and reason of the close; messages before it are passed over."""
        async with asyncio.timeout(within):
            try:
                while True:
                    await self.raw.recv()
            except ConnectionClosed as end:
                received = end.rcvd
                return (received.code, received.reason) if received else (1006, "")
