"""REST: templates that callers may fill in."""

from itertools import islice
from typing import Annotated

import msgspec
from litestar import Response
from msgspec import Meta

from app.auth.scopes import ANY
from app.db.page import decode_cursor, encode_cursor
from app.features.content.offered import Offered, offered
from app.features.listing import After, Limit, Page, linked
from app.web.operation import operation

TAG = "Broadcasts"


class Field(msgspec.Struct, frozen=True):
    """A field of a template."""

    name: str
    required: Annotated[bool, Meta(description="false: the template does without it")]


class OfferedTemplate(msgspec.Struct, frozen=True):
    """A template that an update may name in place of `html`."""

    name: str
    fields: Annotated[list[Field], Meta(description="What its `context` may hold, and nothing else")]

    @classmethod
    def of(cls, one: Offered) -> "OfferedTemplate":
        """As the REST interface shows it."""
        return cls(one.name, [Field(name, name in one.required) for name in sorted(one.required | one.optional)])


class TemplatePage(Page[OfferedTemplate]):
    """One page of templates."""


@operation(
    "GET",
    "/templates",
    scope=ANY,
    tag=TAG,
    summary="List templates",
    gives={
        "items": [{"name": "notice", "fields": [{"name": "message", "required": False}, {"name": "title", "required": True}]}],
        "next_cursor": None,
    },
)
async def list_templates(limit: Limit = 50, cursor: After = None) -> Response[TemplatePage]:
    """Those that updates may name as `template`, by name: the shipped ones, and the site's own. Read when the server started."""
    after = "" if cursor is None else decode_cursor(cursor)
    found = list(islice((one for one in offered if one.name > after), limit + 1))
    items = [OfferedTemplate.of(one) for one in found[:limit]]
    return linked(TemplatePage(items, encode_cursor(items[-1].name) if len(found) > limit else None), limit=limit)


routes = [list_templates]
