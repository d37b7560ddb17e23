"""The sweeps: tokens that have ended and pages that are silent are closed; everybody else is left alone."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from api_tests.hub.recording import Tab, make_hub, tab, turns
from api_tests.waiting import MS, eventually
from app.hub import sweeps
from app.hub.audience import everyone
from app.hub.hub import Hub
from app.hub.publication import one
from app.hub.sweeps import close_ended, close_idle, sweeping
from app.kernel.clock import utc_now
from app.kernel.identity import User
from app.wire.update import Update

IDLE_TIMEOUT_S = 1_800


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "EXPIRY_SWEEP_S", 2 * MS)


def signs_in(hub: Hub, page: Tab, user_id: str, *, ends_in_s: float | None) -> None:
    hub.sign_in(
        page.connection, User(user_id, "", expires_at=None if ends_in_s is None else utc_now() + timedelta(seconds=ends_in_s))
    )


def silent(page: Tab, seconds: float = IDLE_TIMEOUT_S) -> Tab:
    """As if the page had sent nothing for so long."""
    page.connection._active_at -= seconds
    return page


async def test_whoever_has_a_token_that_ended_is_closed_with_4401():
    hub = make_hub()
    ended, fresh, endless, nobody, renewed = (tab(hub) for _ in range(5))
    for page, ends_in_s in ((ended, -1), (fresh, 60), (endless, None), (renewed, -1), (renewed, 60)):
        signs_in(hub, page, "ada", ends_in_s=ends_in_s)
    async with sweeping(hub, idle_timeout_s=IDLE_TIMEOUT_S, idle_sweep_s=2 * MS):
        await eventually(lambda: ended.sink.closed_with)
    assert (4401, "token ended") == ended.sink.closed_with
    assert [None] * 4 == [page.sink.closed_with for page in (fresh, endless, nobody, renewed)]


async def test_whoever_is_silent_for_long_is_closed_with_4408_and_pushes_are_no_activity():
    hub = make_hub()
    idle, active, almost, signed_in = (
        silent(tab(hub)),
        silent(tab(hub)),
        silent(tab(hub), IDLE_TIMEOUT_S - 60),
        silent(tab(hub, "ada")),
    )
    await hub.publish(one(everyone, Update("#a", "x")))
    idle.connection.send(Update("#a", "y"))
    active.connection.touch()
    async with sweeping(hub, idle_timeout_s=IDLE_TIMEOUT_S, idle_sweep_s=2 * MS):
        await eventually(lambda: idle.sink.closed_with and signed_in.sink.closed_with)
    assert [(4408, "idle")] * 2 == [page.sink.closed_with for page in (idle, signed_in)]
    assert [None, None] == [page.sink.closed_with for page in (active, almost)]
    assert [active.connection, almost.connection] == list(hub.registry)


@pytest.mark.parametrize(("idle_timeout_s", "idle_sweep_s"), [(0, 1 * MS), (IDLE_TIMEOUT_S, 0)])
async def test_zero_lets_silent_pages_be(idle_timeout_s: float, idle_sweep_s: float):
    hub = make_hub()
    idle = silent(tab(hub), 10 * IDLE_TIMEOUT_S)
    async with sweeping(hub, idle_timeout_s=idle_timeout_s, idle_sweep_s=idle_sweep_s):
        for _ in range(3):  # tokens are swept all the same
            ended = tab(hub)
            signs_in(hub, ended, "ada", ends_in_s=-1)
            await eventually(lambda page=ended: page.sink.closed_with)
    assert [idle.connection] == list(hub.registry)


async def test_a_sweep_of_many_gives_the_loop_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sweeps, "STRETCH", 3)
    hub = make_hub()
    pages = [silent(tab(hub)) for _ in range(10)]
    left: set[int] = set()
    async with sweeping(hub, idle_timeout_s=IDLE_TIMEOUT_S, idle_sweep_s=2 * MS):
        while len(hub.registry):
            await turns()
            left.add(len(hub.registry))
    assert {7, 4, 1} <= left
    assert all(page.sink.closed_with for page in pages)


async def test_one_stretch_of_closing_is_short():
    hub = make_hub()
    for _ in range(2 * sweeps.STRETCH):
        silent(tab(hub))
    left: list[int] = []
    async with sweeping(hub, idle_timeout_s=IDLE_TIMEOUT_S, idle_sweep_s=2 * MS):
        while len(hub.registry):
            await turns()
            left.append(len(hub.registry))
    assert 200 in left


async def test_somebody_who_leaves_while_a_sweep_goes_on_is_left_alone():
    hub = make_hub()
    first, second = silent(tab(hub)), silent(tab(hub, "ada"))
    sweep = iter(close_idle(hub, IDLE_TIMEOUT_S))
    assert next(sweep) is first.connection
    hub.disconnect(second.connection, 1001, "")
    assert [second.connection] == list(sweep)
    assert second.sink.closed_with is None
    third = tab(hub)
    signs_in(hub, third, "ada", ends_in_s=-1)
    sweep = iter(close_ended(hub))
    hub.disconnect(third.connection, 1001, "")
    assert [] == list(sweep)


async def test_a_sweep_that_fails_is_logged_and_the_next_one_goes_on(logged: Callable[[], str]):
    hub = make_hub()
    broken, other = silent(tab(hub)), silent(tab(hub))

    def refuse(_code: int, _reason: str) -> None:
        raise RuntimeError("the transport is broken")

    broken.sink.close = refuse
    async with sweeping(hub, idle_timeout_s=IDLE_TIMEOUT_S, idle_sweep_s=2 * MS):
        await eventually(lambda: other.sink.closed_with)
    assert (4408, "idle") == other.sink.closed_with
    lines = logged()
    assert (1, True) == (lines.count("sweep failed"), "the transport is broken" in lines)


async def test_both_sweeps_end_with_the_block():
    hub = make_hub()
    async with sweeping(hub, idle_timeout_s=IDLE_TIMEOUT_S, idle_sweep_s=60):
        assert {"token sweep", "idle sweep"} <= {task.get_name() for task in asyncio.all_tasks()}
    assert not {"token sweep", "idle sweep"} & {task.get_name() for task in asyncio.all_tasks()}
