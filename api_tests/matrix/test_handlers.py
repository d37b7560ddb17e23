"""The matrix of the socket: each handler that ships, called by each kind of page."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from api_tests.client import ApiClient, SocketClient
from api_tests.matrix.rows import BOARD, NOTIFICATION, PEOPLE, ROWS, TOKEN, YES, table
from api_tests.server import Running
from app.features import FEATURES

SECURITY = Path(__file__).parents[2] / "docs" / "security.md"

Pages = dict[str, SocketClient]


@pytest.fixture
async def pages(server: Running, api: ApiClient) -> AsyncIterator[Pages]:
    """A page of each of the people; Ada's is in the private room, and she has a notification."""
    for room_id, is_private in ((BOARD, True), ("cellar", False)):
        await api.post("/rooms", {"id": room_id, "name": room_id, "is_private": is_private})
    await api.put(f"/rooms/{BOARD}/members/ada")
    await api.put("/users/ben", {"name": "Ben"})
    async with AsyncExitStack() as stack:
        known = {"nobody": server.socket(), "root": server.socket("root", roles=("admin",))}
        known |= {name: server.socket(name) for name in ("ada", "eve")}
        opened = {name: await stack.enter_async_context(page) for name, page in known.items()}
        await opened["ada"].ask("join-room", {"roomId": BOARD})
        yield opened


@pytest.mark.parametrize("who", PEOPLE)
async def test_each_page_may_do_what_its_rows_say_and_nothing_else(who: str, server: Running, api: ApiClient, pages: Pages):
    sent = (await api.post("/notifications", {"user_ids": ["ada"], "title": "A", "message": "B"})).json()["items"]
    made = {TOKEN: server.token("ada"), NOTIFICATION: sent[0]["id"]}
    page, told = pages[who], {}
    for row in ROWS if who != "nobody" else (*ROWS[1:], ROWS[0]):  # nobody is somebody once it has authenticated
        page.errors.clear()
        await page.ask(row.handler, {name: made.get(str(value), value) for name, value in row.data.items()})
        told[row.handler, row.what] = page.errors[0]["code"] if page.errors else YES
    assert {(row.handler, row.what): getattr(row, who) for row in ROWS} == told


def test_each_handler_that_ships_has_a_row():
    shipped = {name for feature in FEATURES for name in feature.actions}
    assert shipped == {row.handler for row in ROWS}


def test_the_docs_show_the_matrix():
    lines = "\n".join(table())
    assert lines in SECURITY.read_text(), f"docs/security.md should hold:\n{lines}"
