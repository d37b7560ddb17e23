"""A page of a long list: by its place, in the order of ids, whoever came and went."""

import tracemalloc

import pytest

from api_tests.hub.recording import PLAIN, make_hub, tab
from api_tests.hub.test_everywhere import Several
from app.hub import in_order as module
from app.hub.audience import all_of, everyone, except_, near, rooms, signed_in, users
from app.hub.connection import Connection
from app.hub.everywhere import Everywhere
from app.hub.hub import Hub
from app.hub.in_order import InOrder
from app.kernel.identity import User

MANY = 50_000


class Nowhere:
    """A socket that takes all and keeps nothing."""

    is_open, is_gone = True, False

    def write(self, _message: object) -> bool:
        return True

    def buffered_bytes(self) -> int:
        return 0


def fill(hub: Hub, number: int) -> None:
    for each in range(number):
        hub.connect(Nowhere(), PLAIN, User(f"user-{each % 1000}", "User"), address="192.0.2.1", user_agent="test")


def test_ids_are_in_order_also_where_the_clock_was_set_back_and_after_most_are_gone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SPARE", 3)
    here: dict[str, str] = {}
    order = InOrder(here)
    for number in range(2_000):
        word = f"{number * 7_919 % 10_007:05}"  # a prime: each once, and all over the place
        here[word] = word
        order.added(word)
        if number % 9 < 4:
            here.pop(list(here)[number * 31 % len(here)])
            order.removed()
    assert sorted(here) == list(order.after(""))
    middle = sorted(here)[len(here) // 2]
    assert [word for word in sorted(here) if word > middle] == list(order.after(middle))
    here.clear()
    order.removed()
    assert ([], []) == (list(order.after("")), order._ids)


@pytest.mark.parametrize(
    "audience",
    [
        everyone,
        signed_in,
        users("user-1"),
        rooms("lobby"),
        rooms("big"),
        near(0, 0, 5),
        except_(everyone, rooms("big")),
        all_of(signed_in, rooms("lobby")),
    ],
)
async def test_the_pages_of_every_audience_are_all_of_it_in_order(audience):
    hub = make_hub()
    for number in range(200):
        connection = tab(hub, f"user-{number}" if number % 3 else None).connection
        if number % 20 == 0:
            hub.registry.join(connection, "lobby")
        if number * 7 % 10 < 7:
            hub.registry.join(connection, "big")
    whole = sorted(one.id for one in hub.registry.resolve(audience))
    found: list[Connection] = []
    while page := hub.registry.page(audience, found[-1].id if found else "", 7):
        found += page
    assert whole == [one.id for one in found]


async def test_fifty_thousand_on_two_nodes_are_listed_in_constant_memory():
    hubs = [make_hub(), make_hub()]
    for hub in hubs:
        fill(hub, MANY // 2)
    everywhere = Everywhere(hubs[0], Several(hubs))
    after, seen, last = "", 0, ""
    tracemalloc.start()
    try:
        while True:
            page = await everywhere.connections(everyone, limit=200, after=after)
            seen += len(page.items)
            assert page.items[0].id > last
            after = last = page.items[-1].id
            if not page.has_more:
                break
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert MANY == seen
    assert peak_bytes < 2_000_000
