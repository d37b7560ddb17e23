"""Functions of the site: found by name, called in order, and never able to harm each other."""

import asyncio
from collections.abc import Callable

import pytest

from api_tests.waiting import eventually
from app.hub.handlers import Handlers, Reply, Request
from app.hub.hooks import Hooks


async def test_hooks_run_in_order_and_one_that_fails_stops_nobody(logged: Callable[[], str]):
    hooks: Hooks[[str]] = Hooks("test")
    heard: list[str] = []

    @hooks
    def fails(_word: str) -> None:
        raise ValueError("first")

    @hooks
    async def fails_later(_word: str) -> None:
        await asyncio.sleep(0)
        raise ValueError("second")

    @hooks
    async def later(word: str) -> None:
        await asyncio.sleep(0)
        heard.append(f"later {word}")

    @hooks
    def at_once(word: str) -> None:
        heard.append(f"at once {word}")

    hooks.fire("a")
    assert ["at once a"] == heard
    await eventually(lambda: not hooks.running)
    assert ["at once a", "later a"] == heard
    lines = logged()
    assert 2 == lines.count("hook failed")
    assert "fails_later" in lines
    hooks.remove(at_once)
    hooks.fire("b")
    await eventually(lambda: len(heard) == 3)
    assert "later b" == heard[-1]
    await eventually(lambda: not hooks.running)
    with pytest.raises(ValueError, match="not in list"):
        hooks.remove(at_once)


async def answer(_request: Request, _connection: object) -> Reply:
    return Reply()


async def other(_request: Request, _connection: object) -> Reply:
    return Reply()


def test_a_name_belongs_to_one_function():
    handlers = Handlers()
    handlers.on("like")(answer)
    assert answer is handlers.on("like")(answer)
    with pytest.raises(ValueError, match="'like' is registered twice"):
        handlers.on("like")(other)


def request(handler: str = "", trigger: str = "") -> Request:
    return Request(id="1", handler=handler, trigger=trigger)


def test_by_name_then_by_trigger_then_the_catch_all():
    handlers = Handlers()
    assert handlers.find(request("like", "click")) is None
    handlers.on("click")(other)
    assert handlers.find(request("", "click")) is other
    assert handlers.find(request("like", "click")) is None
    handlers.on()(answer)
    assert [answer, answer, other] == [handlers.find(asked) for asked in (request("like"), request(), request("", "click"))]


def test_the_sites_own_go_before_the_products():
    site, product = Handlers(), Handlers()
    both = Handlers(first=site)
    both.on("like")(other)
    assert other is both.find(request("like"))
    site.on("like")(answer)
    assert answer is both.find(request("like"))
    assert product.find(request("like")) is None


def test_a_reply_with_an_unknown_swap_is_refused_where_it_is_made():
    assert Reply("x", swap="beforeend scroll:bottom")
    with pytest.raises(ValueError, match="unknown swap 'inner'"):
        Reply("x", swap="inner")


def test_a_handler_that_is_not_async_is_refused_when_it_is_registered():
    def plain(_request: Request, _connection: object) -> Reply:
        return Reply()

    with pytest.raises(TypeError, match="must be an async function"):
        Handlers().on("like")(plain)


def test_a_decorator_without_parentheses_is_refused_for_it_would_register_nothing():
    with pytest.raises(TypeError, match=r"@wsx.on\('like'\)"):

        @Handlers().on
        async def like(_request: object, _connection: object) -> None: ...
