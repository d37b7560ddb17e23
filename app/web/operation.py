"""One declaration per REST operation. From it come the route, its guard, and its page in the docs: none can be forgotten."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from litestar import delete, get, patch, post, put
from litestar.datastructures import ResponseHeader
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from app.auth.guards import requires
from app.web.body import StrictBody
from app.web.errors import Problem

_VERBS = {"GET": get, "POST": post, "PUT": put, "PATCH": patch, "DELETE": delete}
_ERROR_WORDS = {
    400: "The body is not JSON",
    401: "No key, or no valid one",
    403: "The key has not the scope",
    404: "There is no such thing",
    409: "The thing is in a state in which this cannot be done",
    413: "The body is over `WSX_MAX_BODY_BYTES`",
    422: "Fields are wrong; `errors` names each",
    503: "The database cannot be used at the moment; nothing was stored",
}
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def operation(
    method: str,
    path: str,
    *,
    scope: str,
    tag: str,
    summary: str,
    status: HTTPStatus = HTTPStatus.OK,
    takes: object = None,
    gives: object = None,
    errors: Iterable[int] = (),
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """Declare a route of `/api/v1` under the scope. The function's name is the operation's id, its docstring the description.

    `takes`, `gives`: examples of the body and of the answer, as JSON values; `app.web.openapi` puts them into the document.
    `errors`: statuses beyond those that every operation has (401, 403) and that a body brings (400, 413, 422).
    """

    def declare(function: Callable[..., Any]) -> HTTPRouteHandler:
        has_data = "data" in function.__annotations__
        known = {401, 403, *errors} | ({400, 413, 422} if has_data else set())
        responses = {
            code: ResponseSpec(
                Problem, description=_ERROR_WORDS[code], media_type="application/problem+json", generate_examples=False
            )
            for code in sorted(known)
        }
        route: HTTPRouteHandler = _VERBS[method](
            path,
            status_code=int(status),
            operation_id=function.__name__,
            summary=summary,
            description=f"{function.__doc__ or ''}\n\nScope: `{scope}`.",
            tags=[tag],
            security=[{"key": []}],
            guards=[requires(scope)],
            responses=responses,
            response_description=HTTPStatus(status).phrase,
            response_headers=[
                ResponseHeader(
                    name="X-Request-ID",
                    value="req-42",
                    description="The request's id, as given or made",
                    documentation_only=True,
                )
            ],
            dto=StrictBody if has_data else None,
            return_dto=None,
            opt={"scope": scope, "takes": takes, "gives": gives},
        )(function)
        return route

    return declare
