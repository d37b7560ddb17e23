"""What waits for a user who comes while the journal is away."""

import pytest

from api_tests.fakes import journal_away
from api_tests.features.post import LISTS, posting
from api_tests.server import Running


@pytest.mark.parametrize("table", LISTS)
async def test_it_is_shown_by_this_node_and_marked(server: Running, table: str):
    async with posting(server, table) as post:
        await post.send("news")
        with journal_away(server.hub):
            async with server.socket("ada") as page:
                assert ["news"] == (await post.shown(page)).texts
                await post.marked(1)
