"""A page is back on another node: what its connection had is handed over once, to its own user alone."""

import pytest

from api_tests.hub.recording import make_hub
from api_tests.hub.returned import Returned
from api_tests.hub.test_everywhere import Several
from app.hub.everywhere import Everywhere
from app.hub.hub import Hub
from app.hub.returning import Back
from app.hub.sessions import Origin, SessionIds, Taken


@pytest.fixture
def hubs() -> list[Hub]:
    return [make_hub(), make_hub()]


@pytest.fixture
def everywhere(hubs: list[Hub]) -> Everywhere:
    return Everywhere(hubs[0], Several(hubs))


async def there(hubs: list[Hub]) -> tuple[Returned, Origin]:
    """A page of the other node, with a room and a note."""
    page = Returned(hubs[1], Back(None))
    await page.done()
    hubs[1].registry.join(page.connection, "lobby")
    page.connection.session["n"] = 1
    return page, Origin(page.connection.id, hubs[1].returning.ids.node)


@pytest.mark.parametrize("is_open", [True, False])
async def test_what_another_node_has_is_handed_over_once_and_an_open_connection_ends_with_it(
    hubs: list[Hub], everywhere: Everywhere, is_open: bool
):
    page, origin = await there(hubs)
    if not is_open:
        hubs[1].disconnect(page.connection, 1001, "")
    taken = await everywhere.hand_over(origin, "ada")
    assert isinstance(taken, Taken)
    assert (["lobby"], page.connection.id) == (list(taken.kept.rooms), taken.kept.connection_id)
    assert page.connection.outbox.closed
    assert 0 == len(hubs[1].registry)


@pytest.mark.parametrize("user_id", ["bob", None])
async def test_somebody_else_is_given_nothing_and_ends_nothing(hubs: list[Hub], everywhere: Everywhere, user_id: str | None):
    page, origin = await there(hubs)
    assert None is await everywhere.hand_over(origin, user_id)
    assert page.is_live


async def test_what_no_node_has_is_not_handed_over(hubs: list[Hub], everywhere: Everywhere):
    assert None is await everywhere.hand_over(Origin("unknown", hubs[1].returning.ids.node), "ada")
    assert None is await everywhere.hand_over(Origin("unknown", "gone0000"), "ada")


async def test_where_there_is_no_other_node_nothing_is_elsewhere(hubs: list[Hub]):
    assert None is await hubs[0].returning.ask_to_hand_over(Origin("unknown", "gone0000"), "ada")


async def test_a_session_that_another_node_began_is_known_as_such_until_its_page_is_here() -> None:
    hub, there = make_hub(), SessionIds("bbbbbbbb", b"k" * 32)
    hub.returning.ids = SessionIds("aaaaaaaa", b"k" * 32)
    assert not hub.returning.is_of_another_node("no session")
    assert not hub.returning.is_of_another_node(hub.returning.ids.of("0" * 32))
    assert hub.returning.is_of_another_node(there.of("0" * 32))
    hub.returning._heirs.add("0" * 32, "1" * 32)
    assert not hub.returning.is_of_another_node(there.of("0" * 32))
