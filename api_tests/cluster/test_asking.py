"""Nodes ask each other over a real Redis: who answers is heard, who does not is named, and nothing waits for ever."""

import asyncio
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import Any

import msgspec
import pytest

from api_tests.cluster.asked import Node, run_nodes
from api_tests.hub.recording import tab
from api_tests.redis_server import RedisServer
from api_tests.waiting import MS, SOON_S, eventually
from app.cluster import asking
from app.hub.audience import everyone, users
from app.hub.peers import CountConnections, ListConnections, Question, TellReceipt
from app.kernel.errors import InvalidFields

COUNT = CountConnections(everyone, with_digests=True)
A, B, C = "aaaaaaaa", "bbbbbbbb", "cccccccc"


@pytest.fixture
async def nodes(redis: RedisServer) -> AsyncIterator[list[Node]]:
    async with run_nodes(redis, A, B, C) as running:
        yield running


async def never(_question: Question[Any]) -> Any:
    await asyncio.Event().wait()


async def fails(_question: Question[Any]) -> Any:
    raise RuntimeError("no")


async def asked(node: Node) -> tuple[dict[str, int], list[str]]:
    """How many connections each says that it has, and who is missing."""
    answers = await node.peers.ask(COUNT)
    return {name: one.connections for name, one in answers.by_node.items()}, list(answers.missing)


async def whole(node: Node) -> bool:
    return await asked(node) == (dict.fromkeys((A, B, C), 0), [])


async def test_all_nodes_answer_for_themselves(nodes: list[Node]):
    first, second, _ = nodes
    for user_id in ("ada", "bob"):
        tab(second.hub, user_id)
    tab(first.hub)
    assert ({A: 1, B: 2, C: 0}, []) == await asked(first)
    assert ({A: 1, B: 2, C: 0}, []) == await asked(second)


@pytest.mark.parametrize("name", [A, B])
async def test_one_node_is_asked_alone(nodes: list[Node], name: str):
    answers = await nodes[0].peers.ask(COUNT, name)
    assert ([name], []) == (list(answers.by_node), list(answers.missing))


@pytest.mark.parametrize("is_listed", [True, False])
async def test_a_node_that_is_not_there_is_named_at_once_where_it_is_held_for_alive(nodes: list[Node], is_listed: bool):
    dead = "dddddddd"
    if is_listed:
        nodes[0].lists.add(dead)
    missing = [dead] if is_listed else []
    began = monotonic()
    assert ({A: 0, B: 0, C: 0}, missing) == await asked(nodes[0])
    assert ({}, missing) == await nodes[0].peers.ask(COUNT, dead)
    assert monotonic() - began < asking.WITHIN_S


async def test_a_node_that_is_not_known_yet_is_heard(nodes: list[Node]):
    nodes[0].lists = {A}
    assert await whole(nodes[0])


async def test_a_node_that_says_nothing_is_named_and_the_others_count(nodes: list[Node], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(asking, "WITHIN_S", 200 * MS)
    nodes[1].peers.answer = never
    assert ({A: 0, C: 0}, [B]) == await asked(nodes[0])


async def test_a_node_that_is_held_for_dead_and_says_nothing_costs_a_moment(nodes: list[Node]):
    nodes[1].peers.answer = never
    nodes[0].lists.discard(B)
    began = monotonic()
    assert ({A: 0, C: 0}, []) == await asked(nodes[0])
    assert monotonic() - began < asking.WITHIN_S


async def test_a_node_that_fails_is_named_at_once_and_both_log_it(nodes: list[Node], logged: Callable[[], str]):
    nodes[1].peers.answer = fails
    assert ({A: 0, C: 0}, [B]) == await asked(nodes[0])
    said = logged()
    assert ("a question of another node failed" in said, "a node could not answer" in said) == (True, True)


async def test_an_answer_that_is_no_answer_to_that_question_is_none(nodes: list[Node], logged: Callable[[], str]):
    async def nonsense(_question: Question[Any]) -> Any:
        return {"connections": "many"}

    nodes[1].peers.answer = nonsense
    assert ({A: 0, C: 0}, [B]) == await asked(nodes[0])
    assert "an answer cannot be read" in logged()


async def test_an_answer_that_is_too_long_is_none(nodes: list[Node], monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]):
    monkeypatch.setattr(asking, "MAX_ANSWER_BYTES", 1)
    assert ({A: 0}, [B, C]) == await asked(nodes[0])
    assert "the answer is too long" in logged()


async def test_a_question_that_is_too_long_is_not_sent(nodes: list[Node]):
    question = CountConnections(users(*(f"user-{number:030}" for number in range(32_000))), with_digests=False)
    with pytest.raises(InvalidFields) as refused:
        await nodes[0].peers.ask(question)
    assert ["/audience"] == [field.pointer for field in refused.value.fields]


async def test_a_question_that_another_node_does_not_know_is_answered_with_a_no(nodes: list[Node], logged: Callable[[], str]):
    class Unknown(Question[int], frozen=True, tag="unknown"):
        answer = int

    async def forty_two(_question: Question[Any]) -> Any:
        return 42

    nodes[0].peers.answer = forty_two
    answers = await nodes[0].peers.ask(Unknown())
    assert ({A: 42}, [B, C]) == (answers.by_node, list(answers.missing))
    assert "unknown question" in logged()


async def test_what_is_no_message_is_logged_and_the_next_question_is_answered(
    redis: RedisServer, nodes: list[Node], logged: Callable[[], str]
):
    channels = [channel for channel in await redis.client.pubsub_channels() if channel.startswith(b"wsx:peers:")]
    assert 4 == len(channels)
    for channel in channels:
        for payload in (b"", b"\xff", b"nonsense", msgspec.msgpack.encode(["answered", "unknown id", B, None])):
            await redis.client.publish(channel, payload)
    assert await whole(nodes[0])
    await eventually(lambda: "a message of another node cannot be read" in logged())


async def test_more_questions_than_a_node_takes_at_once_are_told_no(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
):
    monkeypatch.setattr(asking, "MAX_ANSWERING", 1)
    nodes[1].peers.answer = never
    waiting = asyncio.create_task(nodes[2].peers.ask(COUNT, B))
    await eventually(lambda: nodes[1].peers._answering)
    assert ({}, [B]) == await nodes[0].peers.ask(COUNT, B)
    assert "busy" in logged()
    waiting.cancel()


async def test_more_questions_than_may_be_asked_at_once_wait_for_their_turn(nodes: list[Node]):
    answers = await asyncio.gather(*(asked(nodes[0]) for _ in range(3 * asking.MAX_ASKING)))
    assert 3 * asking.MAX_ASKING == answers.count(({A: 0, B: 0, C: 0}, []))
    assert {} == nodes[0].peers._open


async def test_who_is_cancelled_while_it_asks_leaves_nothing_behind(nodes: list[Node]):
    nodes[1].peers.answer = never
    task = asyncio.create_task(asked(nodes[0]))
    await eventually(lambda: nodes[1].peers._answering)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert {} == nodes[0].peers._open


async def test_clusters_in_two_databases_of_one_redis_do_not_hear_each_other(redis: RedisServer, nodes: list[Node]):
    async with Node(redis, "dddddddd", url=redis.url.replace("/0", "/1")).running() as other:
        assert ({"dddddddd": 0}, []) == await asked(other)
        assert await whole(nodes[0])


async def test_while_redis_is_away_only_this_node_answers_and_says_so(redis: RedisServer, nodes: list[Node]):
    await redis.stop()
    await eventually(lambda: not nodes[0].is_listening)
    began = monotonic()
    assert ({A: 0}, [asking.REDIS]) == await asked(nodes[0])
    assert ({}, [asking.REDIS]) == await nodes[0].peers.ask(TellReceipt("x"), B)
    assert monotonic() - began < asking.WITHIN_S
    await redis.start()
    for node in nodes:
        await node.listens()
    assert await whole(nodes[0])


async def test_a_redis_that_hangs_costs_a_bounded_time_and_is_noticed(
    redis: RedisServer, nodes: list[Node], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(asking, "WITHIN_S", 200 * MS)
    redis.pause()
    assert ({A: 0}, [asking.REDIS]) == await asked(nodes[0])
    await eventually(lambda: not nodes[0].is_listening)
    redis.resume()
    for node in nodes:
        await node.listens()
    await eventually_whole(nodes[0])


async def eventually_whole(node: Node) -> None:
    """Redis may still hold connections of before, which listen to nothing."""
    async with asyncio.timeout(SOON_S):
        while not await whole(node):
            pass


async def test_an_empty_redis_is_asked_as_well(redis: RedisServer, nodes: list[Node]):
    await redis.restart_empty()
    await eventually(lambda: not nodes[0].is_listening)
    for node in nodes:
        await node.listens()
    await eventually_whole(nodes[0])


async def test_a_node_starts_while_redis_is_away_and_listens_when_it_is_back(redis: RedisServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(asking, "WITHIN_S", 100 * MS)
    await redis.stop()
    async with Node(redis, A).running() as node:
        assert ({A: 0}, [asking.REDIS]) == await asked(node)
        await redis.start()
        await node.listens()
        assert ({A: 0}, []) == await asked(node)


async def test_whatever_ends_the_listening_is_logged_and_it_begins_again(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
):
    monkeypatch.setattr(asking, "RETRY_S", 10 * MS)
    take = nodes[0].peers._take

    def broken(_message: Any) -> None:
        nodes[0].peers._take = take
        raise RuntimeError("broken")

    nodes[0].peers._take = broken
    await asked(nodes[1])
    assert "not listening to other nodes" in logged()
    await nodes[0].listens()
    await eventually_whole(nodes[0])


async def test_an_answer_that_cannot_be_sent_is_logged(redis: RedisServer, nodes: list[Node], logged: Callable[[], str]):
    answering = asyncio.Event()

    async def late(question: Question[Any]) -> Any:
        answering.set()
        await redis.stop()
        return question

    nodes[1].peers.answer = late
    task = asyncio.create_task(nodes[0].peers.ask(ListConnections(everyone, "", 1), B))
    await answering.wait()
    await task
    await eventually(lambda: "an answer could not be sent" in logged())
