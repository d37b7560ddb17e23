"""Every error as one shape: `application/problem+json` (RFC 9457). The only place that maps exceptions to answers."""

from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from msgspec import UNSET, Meta, UnsetType

from app.kernel.errors import AppError, FieldError, InvalidFields, WrongField, why
from app.web.answer import Answer
from app.web.choices import choices_at, description_at, fields_at

PROBLEM_TYPE: Final = "application/problem+json"

_log = structlog.get_logger()


class Problem(msgspec.Struct):
    """What went wrong, for programs and for people (RFC 9457)."""

    type: Annotated[str, Meta(examples=["urn:wsx:problem:invalid_fields"])]
    """Stable name of the kind of problem."""
    title: str
    """The kind in words; the same for all problems of this type."""
    status: int
    detail: str
    """This problem in words, and what to do."""
    instance: Annotated[str, Meta(examples=["/api/v1/broadcasts"])]
    """The path that was asked."""
    request_id: str
    """To be found again in the server's log."""
    errors: list[FieldError] | UnsetType = UNSET
    """The fields that are wrong."""


def problem(error: AppError, path: str, request_id: str) -> Answer:
    """The answer to an error of ours."""
    document = Problem(
        type=f"urn:wsx:problem:{error.code}",
        title=error.title,
        status=error.status,
        detail=error.detail,
        instance=path,
        request_id=request_id,
        errors=list(error.fields) or UNSET,
    )
    body = msgspec.json.encode(document)
    headers = {**error.headers, "Cache-Control": "no-store", "Content-Type": PROBLEM_TYPE, "Content-Length": str(len(body))}
    return Answer(error.status, [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()], body)


def answer(request: Request[Any, Any, Any], error: AppError) -> Response[bytes]:
    """The same for Litestar."""
    status, headers, body = problem(error, request.scope["path"], request.scope["state"].get("request_id", ""))
    named = {name.decode(): value.decode("latin-1") for name, value in headers}
    return Response(body, status_code=status, headers=named, media_type=PROBLEM_TYPE)


def on_app_error(request: Request[Any, Any, Any], error: AppError) -> Response[Any]:
    """Errors that features raise."""
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("request failed", **why(error))
    return answer(request, error)


def on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """Errors of the framework: no such route, wrong method, a body over the limit, a bad query parameter."""
    if isinstance(error, ValidationException):
        return answer(request, _wrong_form(error))
    status = HTTPStatus(error.status_code)
    translated = AppError(_words(request, status) or error.detail or status.phrase)
    translated.code, translated.status, translated.title = _CODES.get(status, status.name.lower()), int(status), status.phrase
    translated.headers = dict(error.headers or {})
    return answer(request, translated)


def on_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """A mistake of ours: the log gets the traceback, the caller gets the request id."""
    _log.error("request failed unexpectedly", exc_info=error)
    return answer(request, AppError("the server made a mistake; it is in its log under this request id"))


def body_error(error: msgspec.ValidationError, kind: Any) -> InvalidFields:
    """What msgspec says of a body of the type `kind`, as ours: which field, what is wrong, what would be right."""
    message, _, where = str(error).partition(" - at `$")
    pointer = _pointer(where.rstrip("`"))
    cause = error.__cause__
    if isinstance(cause, WrongField):
        pointer = f"{pointer}/{cause.field}"
    elif message.startswith(("Object contains unknown field", "Object missing required field")):
        known = fields_at(kind, pointer.split("/")[1:])
        pointer = f"{pointer}/{message.split('`')[1]}"
        there_are = f"; there are {', '.join(known)}" if known else ""
        message = "missing" if message.startswith("Object missing") else f"unknown field{there_are}"
    elif message.startswith(("Invalid value", "Invalid enum value")) and (words := choices_at(kind, pointer.split("/")[1:])):
        message = f"{message}; there are {', '.join(words)}"
    elif "matching regex" in message:
        described = description_at(kind, pointer.split("/")[1:])
        message = f"holds characters that are not allowed{f': {described}' if described else ''}"
    return InvalidFields([FieldError(pointer, message)])


def _pointer(path: str) -> str:
    """`.updates[2].swap` -> `/updates/2/swap` (RFC 6901)."""
    return path.replace("[", ".").replace("]", "").replace(".", "/")


def _wrong_form(error: ValidationException) -> AppError:
    found = error.extra if isinstance(error.extra, list) else []
    return InvalidFields([FieldError(f"/{one['key']}", one["message"]) for one in found])


def _words(request: Request[Any, Any, Any], status: HTTPStatus) -> str:
    match status:
        case HTTPStatus.NOT_FOUND:
            return "there is nothing at this path; see /docs for all that is, and how ids look"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return "this path exists, but not for this method; see /docs"
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return f"the body is over the limit of {request.app.state.settings.max_body_bytes} bytes (WSX_MAX_BODY_BYTES)"
        case _:
            return ""


_CODES = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large"}
"""Where ours is another word than the name of the status."""

exception_handlers: dict[type[Exception] | int, Any] = {
    AppError: on_app_error,
    HTTPException: on_http_exception,
    Exception: on_unexpected,
}
