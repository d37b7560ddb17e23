"""REST: the dashboard."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Final

import msgspec
from litestar.enums import RequestEncodingType
from litestar.openapi.spec import Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import Body
from msgspec import Raw

from app.features.dashboard import service
from app.features.dashboard.view import Dashboard, Figures
from app.features.services import GivenServices
from app.kernel.errors import FieldError, InvalidFields
from app.web.operation import operation

TAG = "Dashboard"

MAX_FIGURES: Final = 50
"""What fits onto a screen."""
NAME: Final = r"^[a-z][a-z0-9_]{0,63}$(?!\n)"

NewFigures = Annotated[
    dict[str, Raw],
    Body(
        media_type=RequestEncodingType.JSON,
        schema_extra={
            "property_names": Schema(pattern=NAME),
            "additional_properties": Schema(type=OpenAPIType.NUMBER),
            "min_properties": 1,
            "max_properties": MAX_FIGURES,
        },
    ),
]
"""Read name by name, so that an answer can point at the one that is wrong: msgspec does not say which it was."""


class StoredFigures(msgspec.Struct, frozen=True):
    """The figures that are stored now."""

    figures: Figures


_FIGURES = {"revenue": 1234.5, "orders": 17}


@operation(
    "GET",
    "/dashboard",
    scope="dashboard:read",
    tag=TAG,
    summary="The dashboard",
    gives={
        "active_users": 2,
        "connections": 3,
        "messages_last_hour": 41,
        "figures": _FIGURES,
        "at": "2026-11-23T20:16:03Z",
        "incomplete": [],
    },
)
async def get_dashboard(services: GivenServices) -> Dashboard:
    """What admins see in `#dashboard-stats`: live numbers, and the back office's own figures."""
    return await service.dashboard(services)


@operation(
    "PUT",
    "/dashboard/figures",
    scope="dashboard:write",
    tag=TAG,
    summary="Set the figures",
    takes=_FIGURES,
    gives={"figures": _FIGURES},
)
async def put_dashboard_figures(data: NewFigures, services: GivenServices) -> StoredFigures:
    """Replace all figures of the back office; admins see them at once, in this order.

    `revenue` is shown as money; others as plain numbers, with their name as label: `new_orders` is "New Orders".
    """
    return StoredFigures(await service.set_figures(services, _checked(data)))


def _checked(data: Mapping[str, Raw]) -> dict[str, float]:
    """The figures as numbers. Raises InvalidFields, which names each wrong one."""
    if not 1 <= len(data) <= MAX_FIGURES:
        raise InvalidFields([FieldError("", f"1 to {MAX_FIGURES} figures are wanted")])
    if wrong := list(_wrong(data)):
        raise InvalidFields(wrong)
    return {name: msgspec.json.decode(value, type=float) for name, value in data.items()}


def _wrong(data: Mapping[str, Raw]) -> Iterator[FieldError]:
    for name, value in data.items():
        pointer = "/" + name.replace("~", "~0").replace("/", "~1")
        if not re.match(NAME, name):
            yield FieldError(pointer, "a name of a-z, 0-9 and _ is wanted; it begins with a letter and has 64 characters at most")
            continue
        try:
            msgspec.json.decode(value, type=float)
        except msgspec.DecodeError as error:
            yield FieldError(pointer, str(error))


routes = [get_dashboard, put_dashboard_figures]
