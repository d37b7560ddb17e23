"""The contract of a lease; and of the one in Redis, what several nodes do with it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from api_tests.cluster.wire import wire_to
from api_tests.redis_server import RedisServer
from api_tests.waiting import MS, eventually
from app.cluster import lease as leases
from app.cluster.client import make_client
from app.cluster.lease import RedisLease
from app.hub.lease import Lease, Owner, OwnLease
from app.kernel.deadline import Deadline


@pytest.fixture(params=["alone", "redis"])
async def lease(request: pytest.FixtureRequest, redis: RedisServer) -> AsyncIterator[Lease]:
    async with AsyncExitStack() as stack:
        yield OwnLease() if request.param == "alone" else await a_lease(stack, redis.url)


async def a_lease(stack: AsyncExitStack, url: str) -> RedisLease:
    client = make_client(url, "0123abcd")
    stack.push_async_callback(client.aclose)
    lease = RedisLease(client, "work", Deadline())
    await stack.enter_async_context(lease.running())
    return lease


async def test_the_only_node_has_it(lease: Lease) -> None:
    await eventually(lambda: lease.owner is Owner.HERE)


async def test_of_several_one_has_it_and_gives_it_up_to_another(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "ASK_S", 5 * MS)
    async with AsyncExitStack() as others:
        async with AsyncExitStack() as stack:
            first = await a_lease(stack, redis.url)
            await eventually(lambda: first.owner is Owner.HERE)
            rest = [await a_lease(others, redis.url) for _ in range(3)]
            changes: list[Owner] = []
            for one in rest:
                one.on_change(lambda one=one: changes.append(one.owner))
            await eventually(lambda: [Owner.ELSEWHERE] * 3 == [one.owner for one in rest])
        assert first.owner is Owner.ELSEWHERE
        await eventually(lambda: Owner.HERE in changes)
        assert 1 == [one.owner for one in rest].count(Owner.HERE)


async def test_who_is_cut_off_stops_to_have_it_before_another_can(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cluster.client.ANSWER_S", 50 * MS)
    for name, seconds in (("LEASE_S", 1.0), ("MARGIN_S", 0.2), ("ASK_S", 5 * MS), ("GOODBYES_S", 50 * MS)):
        monkeypatch.setattr(leases, name, seconds)
    async with AsyncExitStack() as stack, wire_to(redis.port) as wire:
        async with AsyncExitStack() as cut_off:
            first = await a_lease(cut_off, wire.url)
            await eventually(lambda: first.owner is Owner.HERE)
            second = await a_lease(stack, redis.url)
            owners: list[Owner] = []
            second.on_change(lambda: owners.append(first.owner) if second.owner is Owner.HERE else None)
            wire.cut()
            await eventually(lambda: second.owner is Owner.HERE)
            assert [Owner.UNKNOWN] == owners
            wire.mend()
            await eventually(lambda: first.owner is Owner.ELSEWHERE)
            wire.cut()
        await eventually(lambda: second.owner is Owner.HERE)
