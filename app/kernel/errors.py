"""The error tree. Features raise these; `app.web.errors` turns each into its answer, once.

AppError                  code                  status
├─ BadRequest             bad_request           400   not to be read at all: not JSON, a bad cursor
├─ Unauthenticated        unauthenticated       401   no key or token, or not one of ours
├─ Forbidden              forbidden             403   known, but may not
├─ NotFound               not_found             404   missing, or the caller may not know that it is there
├─ Conflict               conflict              409   it is so already, or something else has that name
├─ UnsupportedMediaType   unsupported_media_type 415  in an encoding that is not read here
├─ InvalidFields          invalid_fields        422   read, but fields are wrong; names each one
├─ Refused                refused               403   a handler's no to a page, in a sentence for people; with a code of its own
├─ RateLimited            rate_limited          429   too often; names the limit, says when to come back
└─ Unavailable            unavailable           503   try again later; says when
   └─ Unclear             unavailable           503   it may have been done all the same
"""

from collections.abc import Sequence
from typing import Any

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One wrong field of a request."""

    pointer: str
    """Where: a JSON Pointer into the body (RFC 6901), `?name` for a query parameter, `{name}` for a part of the path."""
    detail: str
    """What is wrong and what would be right."""


class AppError(Exception):
    """Something that the caller is told in our own words. `detail` is shown to the caller: no secrets in it."""

    code: str = "internal_error"
    status: int = 500
    title: str = "Internal error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields: Sequence[FieldError] = ()
        self.headers: dict[str, str] = {}


def why(error: AppError) -> dict[str, Any]:
    """What the log says of it: what its caller is told, and the notes, which are for the operator alone."""
    notes = getattr(error, "__notes__", [])
    return {"error": error.detail, "notes": notes} if notes else {"error": error.detail}


class BadRequest(AppError):
    """The request could not be read."""

    code, status, title = "bad_request", 400, "Bad request"


class Unauthenticated(AppError):
    """Nobody that we know. The answer names the scheme (RFC 9110, 11.6.1)."""

    code, status, title = "unauthenticated", 401, "Not signed in"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.headers = {"WWW-Authenticate": 'Bearer realm="wsx"'}


class Forbidden(AppError):
    """Known, but may not."""

    code, status, title = "forbidden", 403, "Not allowed"


class NotFound(AppError):
    """The thing does not exist, or the caller may not know that it does."""

    code, status, title = "not_found", 404, "Not found"


class Conflict(AppError):
    """What is asked for stands against what is there."""

    code, status, title = "conflict", 409, "Conflict"


class UnsupportedMediaType(AppError):
    """A body in an encoding that is not read. The answer names those that are (RFC 9110, 12.5.3)."""

    code, status, title = "unsupported_media_type", 415, "Not read in this form"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.headers = {"Accept-Encoding": "identity"}


class InvalidFields(AppError):
    """The request was read, but some of its fields are wrong."""

    code, status, title = "invalid_fields", 422, "Some fields are not right"

    def __init__(self, fields: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{field.pointer or 'the body'}: {field.detail}" for field in fields))
        self.fields = tuple(fields)


class Refused(AppError):
    """A handler's no: `detail` is a sentence for the person at the page, `code` a word for programs."""

    code, status, title = "refused", 403, "Refused"

    def __init__(self, detail: str, *, code: str = "refused") -> None:
        super().__init__(detail)
        self.code = code


class Unavailable(AppError):
    """Not now. `retry_after_s` becomes the header `Retry-After`."""

    code, status, title = "unavailable", 503, "Not available now"

    def __init__(self, detail: str, *, retry_after_s: int = 1) -> None:
        super().__init__(detail)
        self.headers = {"Retry-After": str(retry_after_s)}


class Unclear(Unavailable):
    """Not now; and what was asked for may have been done."""


class RateLimited(AppError):
    """Too often. `retry_after_s` becomes the header `Retry-After`."""

    code, status, title = "rate_limited", 429, "Too many requests"

    def __init__(self, detail: str, *, retry_after_s: int) -> None:
        super().__init__(detail)
        self.headers = {"Retry-After": str(retry_after_s)}


class WrongField(ValueError):
    """A value that a type refuses, and the field's name, so that the answer can point at it."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field
