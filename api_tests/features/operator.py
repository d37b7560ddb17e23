"""Somebody at the console, as a browser without scripts: its cookie, its forms, its socket."""

import re
from contextlib import AbstractAsyncContextManager
from html import unescape
from typing import Any, Protocol, Self

import httpx

from api_tests.client import SocketClient
from api_tests.server import ADMIN_KEY
from api_tests.waiting import SOON_S

_TOKEN = re.compile(r'name="form_token" value="(\w+)"')

_FORM_ID = re.compile(r'name="form_id" value="(\w+)"')


class Server(Protocol):
    """In the loop of the test, or a process."""

    @property
    def url(self) -> str: ...


class Operator:
    """`async with Operator(server) as operator`: signed in with the admin key, or with another; with None not at all."""

    def __init__(self, server: Server, key: str | None = ADMIN_KEY) -> None:
        self._server = server
        self._key = key
        self.http = httpx.AsyncClient(base_url=server.url, headers={"Origin": server.url}, timeout=SOON_S)
        self.token = ""

    async def __aenter__(self) -> Self:
        if self._key is not None:
            answer = await self.sign_in(self._key)
            assert 303 == answer.status_code, said(answer)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def sign_in(self, key: str, **how: Any) -> httpx.Response:
        await self.see("/sign-in")
        answer = await self.post("/sign-in", key=key, **how)
        await self.see("")  # a page with the token of the new cookie
        return answer

    async def see(self, path: str, **query: str) -> httpx.Response:
        """A page; its form token is that of what is posted next."""
        answer = await self.http.get(f"/console{path}", params=query)
        if found := _TOKEN.search(answer.text):
            self.token = found[1]
        return answer

    async def post(self, path: str, *, headers: dict[str, str] | None = None, token: str | None = None, **fields: Any):
        """Send a form."""
        data = {"form_token": self.token if token is None else token, **fields}
        return await self.http.post(f"/console{path}", data=data, headers=headers)

    async def form_id(self, path: str) -> str:
        """What a page that is loaded now gives to its forms, by which one that is sent again is known."""
        return _FORM_ID.search((await self.see(path)).text)[1]

    def socket(self, **headers: str) -> AbstractAsyncContextManager[SocketClient]:
        """The socket of a page, connected with the cookie."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())
        sent = {"Cookie": cookie, "Origin": self._server.url, **headers}
        return SocketClient(self._server.url.replace("http", "ws", 1), path="/console/ws", headers=sent)


def said(answer: httpx.Response) -> str:
    """What a page says of what was asked: done, or refused."""
    return unescape(" ".join(re.findall(r'class="(?:said|error)"[^>]*>([^<]*)<', answer.text)))


async def shown(socket: SocketClient, *words: str) -> str:
    """What the live part of a page shows, as soon as it has all these words."""
    while True:
        html: str = (await socket.next_of("#live"))["html"]
        if all(word in html for word in words):
            return html
