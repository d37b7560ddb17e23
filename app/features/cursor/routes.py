"""REST: the journal's head."""

from typing import Annotated

import msgspec
from msgspec import Meta

from app.auth.scopes import ANY
from app.web.given import GivenHub
from app.web.operation import operation

TAG = "Connections"


class Cursor(msgspec.Struct, frozen=True):
    """A place in the journal."""

    cursor: Annotated[str, Meta(description="Opaque; for a page's `<meta name=\"wsx-cursor\">`, or a client's `?cursor=`")]


@operation(
    "GET",
    "/cursor",
    scope=ANY,
    tag=TAG,
    summary="Read the journal's head",
    gives={"cursor": "0196d1f0a3c-00000000002a"},
)
async def get_cursor(hub: GivenHub) -> Cursor:
    """Once a page that holds it is connected, it is shown all that was published since. Ask before reading what the page shows."""
    return Cursor(hub.cursor())


routes = [get_cursor]
