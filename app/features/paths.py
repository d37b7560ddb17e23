"""Ids in paths: what several features have in theirs."""

from typing import Annotated

from litestar.params import PathParameter

from app.kernel.text import NO_NUL

UserIdInPath = Annotated[str, PathParameter(max_length=128, pattern=NO_NUL, description="The site's own id of the user")]
RoomIdInPath = Annotated[str, PathParameter(max_length=128, pattern=NO_NUL, description="The site's own word for the room")]
