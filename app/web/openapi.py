"""The REST interface as a document (OpenAPI 3.1), made from the routes themselves.

Litestar describes the routes; msgspec, which reads the bodies, describes their types: so what the document says of a field is what
is checked. Errors are those that `app.web.operation` declares: the 400 that Litestar adds for parameters is never sent.
"""

from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final, get_type_hints

import msgspec
from litestar import Litestar, Response, Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.typing import FieldDefinition

from app.web.answering import DRY_RUN
from app.web.errors import Problem
from app.web.idempotency import HEADER, MAX_CHARS

REFERENCE: Final = "#/components/schemas/{name}"

_IDEMPOTENCY_KEY: Final = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Carried out once under this key, whatever comes again; the first answer is given again for 24 h, "
    "with `Idempotency-Replayed: true`",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_CHARS, "pattern": "^[!-~]+$"},
    "example": "order-4711-shipped",
}

DESCRIPTION: Final = """HTML to every browser that should see it.

Send `Authorization: Bearer <key>` with every call; press **Authorize** to try the calls here.
Errors are `application/problem+json` (RFC 9457); the answer's `X-Request-ID` finds a request in the server's log.
Every operation names the scope that its key needs. A POST with an `Idempotency-Key` is carried out once.
Lists take `limit` and `cursor`, and name the next page in `next_cursor` and in the header `Link`.
"""


def document(router: Router, routes: Sequence[HTTPRouteHandler], *, version: str, tags: Sequence[Tag]) -> dict[str, Any]:
    """The whole document as JSON values. Takes some 0.2 s; nothing of it depends on settings or data."""
    config = OpenAPIConfig(
        title="WSX Server",
        version=version,
        description=DESCRIPTION,
        tags=list(tags),
        components=Components(
            security_schemes={"key": SecurityScheme(type="http", scheme="bearer", description="An API key: `wsx_…`")}
        ),
        path="/described",
        render_plugins=[],
    )
    described = Litestar([router], openapi_config=config, logging_config=None).openapi_schema.to_schema()
    _, schemas = msgspec.json.schema_components([Problem, *_types(routes)], ref_template=REFERENCE)
    described["components"]["schemas"] = _lenient(schemas)
    by_id = {route.operation_id: route for route in routes}
    for path in described["paths"].values():
        for operation in path.values():
            route = by_id[operation["operationId"]]
            declared = {str(status) for status in (route.status_code, *(route.responses or ()))}
            operation["responses"] = {status: said for status, said in operation["responses"].items() if status in declared}
            for said in operation["responses"].values():
                if "headers" in said:
                    said["headers"] = dict(sorted(said["headers"].items()))  # Litestar keeps them in a set
            _add_examples(operation, route)
            if route.opt["operation"].is_post:
                operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
            if (also := route.opt["also"]) is not None:
                operation["responses"][str(int(also))] = {
                    **operation["responses"][str(route.status_code)],
                    "description": also.phrase,
                }
            if route.opt[DRY_RUN] is not None:
                _add_dry_run(operation, _answer_of(route.opt[DRY_RUN]))
    return described


def _lenient(schema: Any) -> Any:
    """Without `uniqueItems`: what is named twice counts once."""
    if isinstance(schema, dict):
        return {name: _lenient(value) for name, value in schema.items() if name != "uniqueItems"}
    return [_lenient(value) for value in schema] if isinstance(schema, list) else schema


def _types(routes: Sequence[HTTPRouteHandler]) -> Iterator[Any]:
    for route in routes:
        if route.parsed_data_field is not None:
            yield route.parsed_data_field.annotation
        given: FieldDefinition = route.parsed_return_field
        answer = given.inner_types[0].annotation if given.is_subclass_of(Response) else given.annotation
        if isinstance(answer, type) and issubclass(answer, msgspec.Struct):
            yield answer
        if route.opt[DRY_RUN] is not None:
            yield _answer_of(route.opt[DRY_RUN])


def _answer_of(function: Callable[..., Any]) -> Any:
    return get_type_hints(function)["return"]


def _add_dry_run(operation: dict[str, Any], answer: Any) -> None:
    """The parameter, and what is answered with it."""
    operation.setdefault("parameters", []).append(
        {
            "name": DRY_RUN,
            "in": "query",
            "schema": {"type": "boolean", "default": False},
            "description": "Only tell who would hear it and what they would be shown: nothing is sent or stored",
        }
    )
    schema = {"$ref": REFERENCE.format(name=answer.__name__)}
    told = {
        "description": "With `dry_run=true`: what the call would do",
        "content": {"application/json": {"schema": schema, "example": answer.EXAMPLE}},
    }
    operation["responses"] = {"200": told, **operation["responses"]}


def _add_examples(operation: dict[str, Any], route: HTTPRouteHandler) -> None:
    if route.opt["takes"] is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = route.opt["takes"]
    if route.opt["gives"] is not None:
        operation["responses"][str(route.status_code)]["content"]["application/json"]["example"] = route.opt["gives"]


def _add_other_status(responses: dict[str, Any], route: HTTPRouteHandler) -> None:
    also: HTTPStatus | None = route.opt["also"]
    if also is not None:
        responses[str(int(also))] = {**responses[str(route.status_code)], "description": also.phrase}
