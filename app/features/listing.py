"""What every list of the REST interface looks like."""

from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode

import msgspec
from litestar import Response
from litestar.params import QueryParameter
from msgspec import Meta

from app.db.page import DEFAULT_LIMIT, MAX_LIMIT

Item = TypeVar("Item")

Limit = Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description=f"Items on one page; {DEFAULT_LIMIT} unless said")]
After = Annotated[str | None, QueryParameter(max_length=256, description="`next_cursor` of the page before")]


class Page(msgspec.Struct, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_cursor: Annotated[str | None, Meta(description="Ask for the next page with it; null: this was the last")] = None


Incomplete = Annotated[
    list[str],
    Meta(
        description="Ids of the nodes that did not answer in time: what is on them is not in here. "
        "`redis`: it is away, so only the node that was asked is in here. Empty: nothing is missing"
    ),
]


class ClusterPage(Page[Item]):
    """One page of what is on the nodes of the cluster now."""

    incomplete: Incomplete = msgspec.field(default_factory=list)


AnyPage = TypeVar("AnyPage", bound=Page[Any])


def linked(page: AnyPage, **query: str | int | None) -> Response[AnyPage]:
    """The page as an answer, with the next one also as a link (RFC 8288); `query`: what else was asked for."""
    if page.next_cursor is None:
        return Response(page)
    asked = {name: value for name, value in query.items() if value is not None}
    return Response(page, headers={"Link": f'<?{urlencode({**asked, "cursor": page.next_cursor})}>; rel="next"'})
