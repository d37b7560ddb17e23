"""`/ws`: handlers that are wrong, and those that nobody made: who wrote the site finds out from the log."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from api_tests.server import Running
from app import Connection, Request, wsx
from app.hub.handlers import Handlers
from app.web import conversation


async def test_a_handler_that_gives_back_no_reply_is_named_in_the_log(server: Running, logged: Callable[[], str]) -> None:
    @wsx.on("text")
    async def text(_request: Request, _connection: Connection) -> Any:
        return "Hello"

    async with server.socket() as page:
        assert "Something went wrong" in (await page.ask("text"))["html"]
    assert "the handler returned str; a Reply, a list of them, or None is wanted" in logged()


def test_a_handler_that_takes_no_connection_is_refused_at_the_start() -> None:
    async def half(_request: Request) -> None: ...

    with pytest.raises(TypeError, match="must take two arguments: the request and the connection"):
        Handlers().on("half")(cast("Any", half))


async def test_the_log_names_a_handler_that_is_missing_once_and_not_for_ever(
    server: Running, logged: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "MAX_MISSING_TOLD", 3)
    async with server.socket() as page:
        for name in ("nobody-made-this", "nobody-made-this", "two", "three", "four"):
            await page.ask(name)
    told = logged()
    assert (1, 3, 0) == (told.count("nobody-made-this"), told.count("no handler has this name"), told.count("four"))
