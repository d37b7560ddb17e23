"""Parts that misbehave on purpose."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from app.hub.hub import Hub
from app.kernel.errors import Unavailable


@contextmanager
def journal_away(hub: Hub) -> Iterator[None]:
    """The journal of this hub takes nothing for as long as the block."""

    async def refuse(_payload: bytes) -> str:
        raise Unavailable("the journal is away", retry_after_s=3)

    with patch.object(hub._journal, "append", refuse):
        yield


@contextmanager
def journal_silent(hub: Hub) -> Iterator[None]:
    """The journal of this hub does not answer for as long as the block."""

    async def never(_payload: bytes) -> str:
        return await asyncio.get_running_loop().create_future()

    with patch.object(hub._journal, "append", never):
        yield
