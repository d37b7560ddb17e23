"""What a node says of itself: all questions, and none that holds up the loop."""

import asyncio

import pytest

from api_tests.hub.recording import make_hub, tab, turns
from app.hub import answering as module
from app.hub.answering import Answering
from app.hub.audience import everyone, users
from app.hub.peers import AnyQuestion, CloseConnections, CountConnections, ListUsers, Question


async def test_closing_many_gives_the_loop_back_and_counts_those_it_closed():
    hub = make_hub()
    pages = [tab(hub) for _ in range(2 * module.CLOSED_AT_ONCE + 1)]
    task = asyncio.create_task(Answering(hub).answer(CloseConnections(everyone, "maintenance")))
    await turns()
    assert module.CLOSED_AT_ONCE + 1 == len(hub.registry)
    hub.disconnect(pages[-1].connection, 1001, "")  # leaves in between
    assert 2 * module.CLOSED_AT_ONCE == await task
    assert (0, {(4409, "maintenance")}) == (len(hub.registry), {page.sink.closed_with for page in pages[:-1]})
    assert pages[-1].sink.closed_with is None


@pytest.mark.parametrize("question", [CountConnections(everyone, with_digests=True), ListUsers(everyone, "", 10)])
async def test_looking_at_many_gives_the_loop_back(question: AnyQuestion, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SEEN_AT_ONCE", 10)
    hub = make_hub()
    pages = [tab(hub, f"user-{number}") for number in range(100)]
    task = asyncio.create_task(Answering(hub).answer(question))
    await turns(3)
    assert not task.done()
    for page in pages:
        hub.disconnect(page.connection, 1001, "")  # in between
    await task


async def test_users_are_told_apart_by_their_digests_alone():
    hub = make_hub()
    for user_id in ("ada", "bob", "ada"):
        tab(hub, user_id)
    counted = await Answering(hub).answer(CountConnections(users("ada", "bob"), with_digests=True))
    assert (3, 3, 2, 16) == (counted.connections, counted.signed_in, counted.users, len(counted.digests))


async def test_a_question_of_a_newer_node_is_none_of_ours():
    class Newer(Question[int], frozen=True, tag="newer"):
        answer = int

    with pytest.raises(TypeError, match="Newer"):
        await Answering(make_hub()).answer(Newer())
