"""One declaration per REST operation. From it come the route, its guard, and its page in the docs: none can be forgotten."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from inspect import Parameter, cleandoc, signature
from typing import Any

from litestar import delete, get, patch, post, put
from litestar.datastructures import ResponseHeader
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from app.auth.guards import requires
from app.web.body import StrictBody
from app.web.errors import Problem
from app.web.parameters import takes_only

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
GIVEN = frozenset({"data", "hub", "database", "services", "caller", "key_ring"})
"""Names of parameters that are no query parameters: the body, and what `app.web.given` and `app.features.services` list."""


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
    takes: object = None,
    gives: object = None,
    errors: Iterable[int] = (),
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """Declare a route of `/api/v1` under the scope. The function's name is the operation's id, its docstring the description.

    `takes`, `gives`: examples of the body and of the answer, as JSON values; `app.web.openapi` puts them into the document.
    `errors`: statuses beyond those that every operation has (401, 403, 422, 503) and that a body brings (400, 413).
    """

    def declare(function: Callable[..., Any]) -> HTTPRouteHandler:
        has_data = "data" in function.__annotations__
        known = {401, 403, 422, 503, *errors} | ({400, 413} if has_data else set())
        parameters = signature(function).parameters.values()
        query_names = {one.name: _query_name(one) for one in parameters if one.name not in GIVEN and f"{{{one.name}:" not in path}
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
            guards=[requires(scope), takes_only(frozenset(query_names.values()))],
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
            opt={"scope": scope, "takes": takes, "gives": gives, "query_names": query_names},
        )(function)
        return route

    return declare
