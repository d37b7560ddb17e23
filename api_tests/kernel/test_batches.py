"""Queues show themselves to the application that they run in."""

import asyncio

from app.kernel.batches import Batches, shown, watched
from app.kernel.histogram import Histogram


class Queue:
    """Batches of nothing."""

    def __init__(self, name: str = "letters") -> None:
        self.name = name
        self.sizes = Histogram((1,))

    def __len__(self) -> int:
        return 0


def test_a_queue_is_seen_while_it_runs():
    found: list[Batches] = []
    queue = Queue()
    with watched(found):
        with shown(queue):
            assert [queue] == found
        assert [] == found


def test_where_nobody_watches_a_queue_runs_all_the_same():
    with shown(Queue()):
        pass


async def test_applications_in_one_process_see_their_own():
    async def application(name: str) -> list[str]:
        found: list[Batches] = []
        with watched(found), shown(Queue(name)):
            await asyncio.sleep(0)
            return [one.name for one in found]

    assert [["one"], ["other"]] == await asyncio.gather(application("one"), application("other"))
