"""What one publication costs, counted: encodings, joins, writes, and calls of Python per connection. The same on every machine."""

from collections.abc import Callable

import pytest

from api_tests.counting import counted
from api_tests.hub.recording import PLAIN, V1, make_hub
from app.hub import writing
from app.hub.audience import everyone
from app.hub.hub import Hub
from app.hub.pending import Pending
from app.hub.publication import Part, Publication, encode, one
from app.journal.port import Entry
from app.wire.dialect import Dialect
from app.wire.prepared import Prepared
from app.wire.update import Update
from app.wire.wsx import Wsx

FEW, MANY = 100, 300


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A round is one stretch, however slow the machine: else it is cut where its time is up, and the rest is counted by nobody."""
    monkeypatch.setattr(writing, "MAX_HOLD_S", 3600.0)
    monkeypatch.setattr(writing, "HOLD_WHILE_ASKED_S", 3600.0)
    monkeypatch.setattr(writing, "SLOW_WRITE_S", 3600.0)


class BareSink:
    """Takes everything, and costs one call."""

    is_open = True

    def write(self, _message: Prepared) -> bool:
        return True

    def buffered_bytes(self) -> int:
        return 0


def crowd(count: int, forms: tuple[Dialect, ...] = (PLAIN,)) -> Hub:
    hub = make_hub()
    for number in range(count):
        hub.connect(BareSink(), forms[number % len(forms)], None, address="", user_agent="")
    hub.delivery.writing._flush()
    return hub


def broadcast(hub: Hub, times: int = 1) -> None:
    """All that happens between the journal and the sockets, in one turn of the loop."""
    for _ in range(times):
        hub.deliver_local(Entry("c", encode(one(everyone, Update("#a", "x", "beforeend")))))
    hub.delivery.writing._flush()


async def per_connection(act: Callable[[Hub], None]) -> tuple[float, float]:
    """Calls that each further connection costs: of Python functions, and of all others."""
    hubs = crowd(FEW), crowd(MANY)
    counts = []
    for hub in hubs:
        act(hub)
        with counted() as found:
            act(hub)
        counts.append(found)
    few, many = counts
    return tuple((many[kind] - few[kind]) / (MANY - FEW) for kind in ("call", "c_call"))


async def test_a_connection_costs_one_call_of_its_socket_and_one_place_in_a_list():
    python, others = await per_connection(broadcast)
    assert python < 1.1
    assert others < 1.1


async def test_a_second_publication_in_the_same_turn_costs_a_connection_no_call_at_all():
    python, others = await per_connection(lambda hub: broadcast(hub, times=10))
    assert python < 1.1
    assert others < 1.1


def tell_who_take_nothing(hub: Hub) -> None:
    if not hub.delivery.held_bytes:
        for connection in hub.registry:
            connection.outbox.blocked = True
    broadcast(hub)


async def test_a_connection_that_takes_nothing_costs_three_calls():
    python, others = await per_connection(tell_who_take_nothing)
    assert python < 3.1
    assert others < 0.1


@pytest.mark.parametrize("forms", [(PLAIN,), (PLAIN, V1)])
async def test_a_publication_is_encoded_once_per_dialect(forms: tuple[Dialect, ...]):
    hub = crowd(FEW, forms)
    with counted() as found:
        broadcast(hub)
    assert len(forms) == found[Wsx.encode_update.__qualname__]
    assert FEW == found[BareSink.write.__qualname__]
    assert 0 == found[Prepared.joined.__qualname__]


@pytest.mark.parametrize("forms", [(PLAIN,), (PLAIN, V1)])
async def test_what_comes_in_one_turn_is_joined_once_per_dialect_and_written_once_per_connection(forms: tuple[Dialect, ...]):
    hub = crowd(FEW, forms)
    with counted() as found:
        broadcast(hub, times=10)
    assert 10 * len(forms) == found[Wsx.encode_update.__qualname__]
    assert len(forms) == found[Prepared.joined.__qualname__]
    assert FEW == found[BareSink.write.__qualname__]


@pytest.mark.parametrize("forms", [(PLAIN,), (PLAIN, V1), (V1, PLAIN)])
@pytest.mark.parametrize("is_batch", [False, True])
async def test_a_thousand_that_stalled_together_cost_one_list_for_each_dialect(forms: tuple[Dialect, ...], is_batch: bool):
    hub = crowd(FEW, forms)
    for connection in hub.registry:
        connection.outbox.blocked = True
    for _ in range(5):
        part = Part(everyone, Update("#a", "x", "beforeend"))
        hub.deliver_local(Entry("c", encode(Publication("p", (part,), is_batch=is_batch))))
    waiting = {(connection.dialect.name, connection.outbox.pending) for connection in hub.registry}
    assert len(forms) == len(waiting)
    for name, pending in waiting:
        assert [name == V1.name] * 5 == [b'"cursor"' in message.data for message in pending]


async def test_what_waits_for_many_and_replaces_nothing_is_not_walked_through():
    hub = crowd(FEW)
    for connection in hub.registry:
        connection.outbox.blocked = True
    broadcast(hub, times=50)
    with counted() as found:
        hub.deliver_local(Entry("c", encode(one(everyone, Update("#a", "new")))))
    assert 0 == found[Pending.__iter__.__qualname__] + found["Pending._oldest_first"]
    assert 51 == next(iter(hub.registry)).outbox.pending.count
