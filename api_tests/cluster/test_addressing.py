"""Somebody who has just connected to another node, and has no row yet, is no stranger. These nodes write nobody down."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api_tests.cluster.services import Node, run_services
from api_tests.redis_server import RedisServer
from api_tests.waiting import eventually
from app.cluster.asking import RedisPeers
from app.features.chat.actions import private_message
from app.features.follows import service as follows
from app.features.users import UserRow
from app.features.users.service import MAX_ASKED_FOR
from app.hub.handlers import Request
from app.hub.peers import Answers
from app.kernel.errors import Refused
from app.settings import Settings


@pytest.fixture
async def nodes(redis: RedisServer, settings: Settings) -> AsyncIterator[list[Node]]:
    async with run_services(settings, redis.url, "aaaaaaaa", "bbbbbbbb") as two:
        for node in two:
            await eventually(node.services.everywhere._peers._listens.is_set)
        yield two


async def write(node: Node, to: str) -> None:
    page = node.tab("bob").connection
    data = {"recipientId": to, "message": "psst"}
    await private_message(node.services, Request("1", "private-message", "#answer", data=data), page)


async def follow(node: Node, whom: str) -> None:
    await follows.follow(node.services, node.tab("bob").connection.user, whom)


async def row_of(node: Node, user_id: str) -> UserRow | None:
    async with node.services.database.reading() as session:
        return await session.get(UserRow, user_id)


@pytest.mark.parametrize(("act", "target"), [(write, "#messages"), (follow, "#notifications")])
async def test_a_user_of_another_node_is_written_to_and_followed(nodes: list[Node], act: Any, target: str):
    a, b = nodes
    ada = a.tab("ada", "premium")
    await act(b, "ada")
    await eventually(lambda: target in [message["target"] for message in ada.sink.messages])
    row = await row_of(b, "ada")
    assert (ada.connection.user.name, ["premium"]) == (row.name, row.roles)


@pytest.mark.parametrize("act", [write, follow])
async def test_somebody_whom_no_node_has_heard_of_is_a_stranger(nodes: list[Node], act: Any):
    with pytest.raises(Refused, match="There is no such user"):
        await act(nodes[1], "nobody")
    assert await row_of(nodes[1], "nobody") is None


async def test_only_strangers_cost_a_question_and_nodes_that_do_not_answer_know_none(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch
):
    a, b = nodes
    asked: list[Any] = []

    async def not_answered(_peers: RedisPeers, question: Any, _node: str | None = None) -> Answers[Any]:
        asked.append(question)
        return Answers({"bbbbbbbb": []}, ["aaaaaaaa"])

    a.tab("ada")
    await write(b, "ada")
    monkeypatch.setattr(RedisPeers, "ask", not_answered)
    b.tab("cleo")
    for known in ("ada", "cleo"):
        await write(b, known)
    assert not asked
    with pytest.raises(Refused, match="There is no such user"):
        await write(b, "dora")
    assert 1 == len(asked)


async def test_of_many_strangers_at_once_only_a_few_are_asked_for(nodes: list[Node], monkeypatch: pytest.MonkeyPatch):
    """Else pages that write to nobody could keep the back office's questions waiting, where a node does not answer."""
    asked, may_answer = [], asyncio.Event()

    async def answered_late(_peers: RedisPeers, question: Any, _node: str | None = None) -> Answers[Any]:
        asked.append(question)
        await may_answer.wait()
        return Answers({"bbbbbbbb": []}, ["aaaaaaaa"])

    monkeypatch.setattr(RedisPeers, "ask", answered_late)
    writing = [asyncio.create_task(write(nodes[1], f"nobody-{number}")) for number in range(20)]
    await eventually(lambda: 20 - MAX_ASKED_FOR == sum(task.done() for task in writing))
    may_answer.set()
    refused = await asyncio.gather(*writing, return_exceptions=True)
    assert (MAX_ASKED_FOR, 20) == (len(asked), sum(isinstance(one, Refused) for one in refused))
