"""What a local event is, wherever it comes from."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from app.hub.geometry import Place
from app.kernel.text import NO_NUL

DEFAULT_RADIUS_KM: Final = 10.0

Title = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL, examples=["Street music"])]
Description = Annotated[str, Meta(max_length=2_000, pattern=NO_NUL, description="Plain text; shown escaped")]
PlaceName = Annotated[str, Meta(max_length=200, pattern=NO_NUL, examples=["Market square"])]


class LocalEvent(msgspec.Struct, frozen=True):
    """Something that happens at a place, for those within so many kilometres."""

    title: str
    description: str
    place: Place
    radius_km: float
