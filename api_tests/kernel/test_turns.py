"""One at a time, of those who change the same thing."""

import asyncio
import gc
from weakref import ref

from app.kernel.turns import Turns


async def test_who_changes_the_same_waits_and_who_changes_another_does_not():
    turns, order = Turns(), []

    async def change(name: str, *things: str) -> None:
        async with turns.of(*things):
            order.append(f"{name} begins")
            await asyncio.sleep(0)
            order.append(f"{name} ends")

    await asyncio.gather(change("first", "lobby", "ada"), change("second", "lobby", "ada"), change("other", "lobby", "bob"))
    assert ["first begins", "other begins", "first ends", "other ends", "second begins", "second ends"] == order


async def test_what_nobody_holds_is_forgotten():
    turns = Turns()
    async with turns.of("lobby", "ada"):
        held = ref(turns.of("lobby", "ada"))
        assert held() is turns.of("lobby", "ada")
    gc.collect()
    assert held() is None
