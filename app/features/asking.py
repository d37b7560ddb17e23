"""What handlers share: reading a request's data, and who is asking."""

import re
from typing import Final, TypeVar

import msgspec

from app.hub.connection import Connection
from app.hub.handlers import Request
from app.kernel.errors import Refused
from app.kernel.identity import User
from app.web.choices import choices_at

T = TypeVar("T")

NOT_SIGNED_IN: Final = "not_signed_in"
NOT_ADMIN: Final = "not_admin"
BAD_DATA: Final = "bad_data"
EMPTY: Final = "empty_message"

_WORDS: Final = (
    (re.compile(r"Expected `str` of length >= 1$"), "must not be empty"),
    (re.compile(r"Expected `str` of length <= (\d+)$"), r"may have \1 characters at most"),
    (re.compile(r"Expected `(?:float|int)` (>=?|<=?) (-?\d+(?:\.\d+)??)(?:\.0)?$"), r"must be \1 \2"),
    (re.compile(r"Expected `str`, got .*$"), "must be a text"),
    (re.compile(r"Expected `(?:float|int)`, got .*$"), "must be a number"),
    (re.compile(r"Number out of range$"), "is out of range"),
    (re.compile(r"Expected `object`, got .*$"), "must be an object"),
    (re.compile(r"Expected `uuid`, got .*$|Invalid UUID$"), "is no id"),
    (re.compile(r"Expected `str` matching regex .*$"), "holds characters that are not allowed"),
)
"""Where msgspec speaks to programmers."""


def for_people(message: str) -> str:
    """What msgspec says of a value, without its place, as people say it; anything else stays as it is."""
    for pattern, words in _WORDS:
        message = pattern.sub(words, message)
    return message


def read(request: Request, kind: type[T]) -> T:
    """The request's data as this type. Numbers may come as text, for forms send nothing else. Raises Refused, naming the field."""
    try:
        return msgspec.convert(request.data, kind, strict=False)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        field = where.rstrip("`").strip(".")
        if message.startswith("Object missing required field"):
            field = ".".join(filter(None, (field, message.split("`")[1])))
            message = "is missing"
        if message.startswith("Invalid enum value"):
            message = f"must be one of {', '.join(choices_at(kind, field.split('.')))}"
        sentence = f"This cannot be used: {field or 'data'} {for_people(message)}."
        raise Refused(sentence, code=BAD_DATA) from None


def signed_in(connection: Connection, to_do: str) -> User:
    """Whose connection it is. Raises Refused: "Please log in to <do it>"."""
    if connection.user is None:
        sentence = f"Please log in to {to_do}"
        raise Refused(sentence, code=NOT_SIGNED_IN)
    return connection.user


def admin(connection: Connection) -> User:
    """Whose connection it is. Raises Refused unless it is an admin's."""
    if connection.user is None or not connection.user.is_admin:
        raise Refused("Admin access required", code=NOT_ADMIN)
    return connection.user


def written(text: str) -> str:
    """What was typed for others to read, without the space around it. Raises Refused when nothing is left."""
    text = text.strip()
    if not text:
        raise Refused("Please write something first", code=EMPTY)
    return text
