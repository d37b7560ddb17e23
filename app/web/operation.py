"""One declaration per REST operation. From it come the route, the key it wants, and its page in the docs: none can be forgotten."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from inspect import Parameter, cleandoc, signature
from typing import Any, get_args

from litestar import delete, get, patch, post, put
from litestar.datastructures import ResponseHeader
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from app.web.answering import DRY_RUN, Operation
from app.web.body import JsonBody
from app.web.errors import PROBLEM_TYPE, Problem
from app.web.parameters import Parameters

_VERBS = {"GET": get, "POST": post, "PUT": put, "PATCH": patch, "DELETE": delete}
_ERROR_WORDS = {
    400: "The body is not JSON, or the `Idempotency-Key` cannot be one",
    401: "No key, or no valid one",
    403: "The key has not the scope",
    404: "There is no such thing",
    409: "It is so already, something else has that name, the server is not set up for it; or the first request with this "
    "`Idempotency-Key` still runs",
    413: "The body is over `WSX_MAX_BODY_BYTES`",
    415: "The body has a `Content-Encoding` other than `identity`",
    422: "Fields or parameters are wrong; `errors` names each",
    429: "More than `WSX_API_RATE_PER_MIN` requests with this key; `Retry-After` says when to go on",
    503: "The database cannot be used at the moment; nothing was stored or sent",
}
_HEADERS = [
    ResponseHeader(name=name, value=example, description=words, documentation_only=True)
    for name, example, words in (
        ("X-Request-ID", "req-42", "The request's id, as given or made"),
        ("RateLimit-Policy", '"key";q=600;w=60', "How many requests a minute this key may make"),
        ("RateLimit", '"key";r=599;t=1', "How many more it may make now (`r`), and in how many seconds it is one more (`t`)"),
    )
]
_BODY_ERRORS = frozenset({400, 413, 415})
_POST_ERRORS = frozenset({400, 409})
GIVEN = frozenset({"hub", "database", "services", "caller", "key_ring"})
"""What functions may ask for by name; `app.web.given` and `app.features.services` have the types."""


def _query_name(parameter: Parameter) -> str:
    """The name in the query: the parameter's own, or what its `QueryParameter(name=…)` says."""
    described = getattr(parameter.annotation, "__metadata__", ())
    return next((name for one in described if (name := getattr(one, "name", None))), parameter.name)


def _given(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(name for name in signature(function).parameters if name in GIVEN)


def _query_names(function: Callable[..., Any], path: str) -> dict[str, str]:
    """What the function calls those of its parameters that stand in the query, and what they are called there."""
    parameters = signature(function).parameters
    elsewhere = {"data", *GIVEN, *(name for name in parameters if f"{{{name}:" in path)}
    return {name: _query_name(one) for name, one in parameters.items() if name not in elsewhere}


def _problem(status: int) -> ResponseSpec:
    return ResponseSpec(Problem, description=_ERROR_WORDS[status], media_type=PROBLEM_TYPE, generate_examples=False)


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
    keeps_answer: bool = True,
    dry_run: Callable[..., Any] | None = None,
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """Declare a route of `/api/v1` under the scope. The function's name is the operation's id, its docstring the description.

    `also`: another status with the same answer. `takes`, `gives`: examples of the body and of the answer, as JSON values;
    `app.web.openapi` puts them into the document.
    `errors`: statuses beyond those that every operation has (401, 403, 422, 429, 503), that a body brings (400, 413, 415), or a
    POST (400, 409). `keeps_answer` False: the answer holds a secret, and is not kept to be given again under an `Idempotency-Key`.
    `dry_run`: the function that answers in its place, with 200, when `?dry_run=true` asks what it would do.
    """

    def declare(function: Callable[..., Any]) -> HTTPRouteHandler:
        query_names = _query_names(function, path) | ({} if dry_run is None else {DRY_RUN: DRY_RUN})
        data = signature(function).parameters.get("data")
        is_post = method == "POST"
        known = {401, 403, 422, 429, 503, *errors} | (_BODY_ERRORS if data else set()) | (_POST_ERRORS if is_post else set())
        answered = Operation(
            function,
            scope,
            int(status),
            given=_given(function),
            parameters=Parameters(query_names),
            body=JsonBody(get_args(data.annotation)[0]) if data else None,
            is_post=is_post,
            changes=method != "GET" and not scope.endswith(":read"),
            keeps_answer=keeps_answer,
        )
        if dry_run is not None:
            told = answered._replace(function=dry_run, status=200, given=_given(dry_run), is_post=False)
            answered = answered._replace(dry_run=told)
        route: HTTPRouteHandler = _VERBS[method](
            path,
            status_code=int(status),
            operation_id=function.__name__,
            summary=summary,
            description=f"{cleandoc(function.__doc__ or '')}\n\nScope: `{scope}`.",
            tags=[tag],
            security=[{"key": [scope]}],
            responses={code: _problem(code) for code in sorted(known)},
            response_description=HTTPStatus(status).phrase,
            response_headers=_HEADERS,
            opt={"scope": scope, "also": also, "takes": takes, "gives": gives, "operation": answered, DRY_RUN: dry_run},
        )(function)
        return route

    return declare
