"""One declaration per REST operation. From it come the route, the key it wants, and its page in the docs: none can be forgotten."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from inspect import Parameter, cleandoc, signature
from typing import Any, get_args

from litestar import delete, get, patch, post, put
from litestar.datastructures import ResponseHeader
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from app.web.answering import Operation
from app.web.body import JsonBody
from app.web.errors import Problem
from app.web.parameters import Parameters

_VERBS = {"GET": get, "POST": post, "PUT": put, "PATCH": patch, "DELETE": delete}
_ERROR_WORDS = {
    400: "The body is not JSON",
    401: "No key, or no valid one",
    403: "The key has not the scope",
    404: "There is no such thing",
    409: "It is so already, or something else has that name",
    413: "The body is over `WSX_MAX_BODY_BYTES`",
    422: "Fields or parameters are wrong; `errors` names each",
    503: "The database cannot be used at the moment; nothing was stored or sent",
}
_REQUEST_ID = ResponseHeader(
    name="X-Request-ID", value="req-42", description="The request's id, as given or made", documentation_only=True
)
GIVEN = frozenset({"hub", "database", "services", "caller", "key_ring"})
"""What functions may ask for by name; `app.web.given` and `app.features.services` have the types."""


def _query_name(parameter: Parameter) -> str:
    """The name in the query: the parameter's own, or what its `QueryParameter(name=…)` says."""
    described = getattr(parameter.annotation, "__metadata__", ())
    return next((name for one in described if (name := getattr(one, "name", None))), parameter.name)


def operation(
    method: str,
    path: str,
    *,
    scope: str,
    tag: str,
    summary: str,
    status: HTTPStatus = HTTPStatus.OK,
    also: HTTPStatus | None = None,
    takes: object = None,
    gives: object = None,
    errors: Iterable[int] = (),
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """Declare a route of `/api/v1` under the scope. The function's name is the operation's id, its docstring the description.

    `also`: another status with the same answer. `takes`, `gives`: examples of the body and of the answer, as JSON values;
    `app.web.openapi` puts them into the document.
    `errors`: statuses beyond those that every operation has (401, 403, 422, 503) and that a body brings (400, 413).
    """

    def declare(function: Callable[..., Any]) -> HTTPRouteHandler:
        parameters = signature(function).parameters
        elsewhere = {"data", *GIVEN, *(name for name in parameters if f"{{{name}:" in path)}
        query_names = {name: _query_name(one) for name, one in parameters.items() if name not in elsewhere}
        data = parameters.get("data")
        known = {401, 403, 422, 503, *errors} | ({400, 413} if data else set())
        answered = Operation(
            function,
            scope,
            int(status),
            given=tuple(name for name in parameters if name in GIVEN),
            parameters=Parameters(query_names),
            body=JsonBody(get_args(data.annotation)[0]) if data else None,
        )
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
            description=f"{cleandoc(function.__doc__ or '')}\n\nScope: `{scope}`.",
            tags=[tag],
            security=[{"key": []}],
            responses=responses,
            response_description=HTTPStatus(status).phrase,
            response_headers=[_REQUEST_ID],
            opt={"scope": scope, "also": also, "takes": takes, "gives": gives, "operation": answered},
        )(function)
        return route

    return declare
