"""The documents of the two interfaces: committed as the code makes them, complete, and true of a running server."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from api_tests.client import ApiClient, SocketClient
from api_tests.server import Running
from app.hub.close import Close
from app.main import ROUTES, describe
from app.web.asyncapi import describe_socket
from app.wire.inbound import Inbound
from app.wire.wsx import BatchMessage, DrainMessage, ErrorMessage, GapMessage, HelloMessage, UpdateMessage

COMMITTED = Path(__file__).parents[2] / "openapi"
API = json.loads(json.dumps(describe()))
SOCKET = json.loads(json.dumps(describe_socket()))
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in API["paths"].items()
    for method, operation in methods.items()
}
MESSAGES = {
    "request": Inbound,
    "update": UpdateMessage,
    "batch": BatchMessage,
    "hello": HelloMessage,
    "gap": GapMessage,
    "drain": DrainMessage,
    "error": ErrorMessage,
}
every_operation = pytest.mark.parametrize("name", OPERATIONS)
every_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation_id)


def validator(document: dict[str, Any], schema: dict[str, Any]) -> OAS31Validator:
    """Checks values against a schema that refers to others of its document."""
    registry = Registry().with_resource("urn:document", Resource(document, DRAFT202012))
    absolute = json.loads(json.dumps(schema).replace('"$ref": "#', '"$ref": "urn:document#'))
    return OAS31Validator(absolute, registry=registry)


def references(value: object) -> Iterator[str]:
    match value:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for part in value.values():
                yield from references(part)
        case list():
            for part in value:
                yield from references(part)


def resolved(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


@pytest.mark.parametrize(("name", "made"), [("openapi.json", API), ("asyncapi.json", SOCKET)])
def test_what_is_committed_is_what_the_code_makes(name: str, made: object) -> None:
    text = json.dumps(made, indent=2, ensure_ascii=False) + "\n"
    assert text == (COMMITTED / name).read_text(), "run `make openapi` and commit what it writes"


def test_the_document_is_openapi() -> None:
    assert [] == list(OpenAPIV31SpecValidator(API).iter_errors())
    assert len(ROUTES) == len(OPERATIONS)
    assert {"type": "http", "scheme": "bearer"}.items() <= API["components"]["securitySchemes"]["key"].items()


@pytest.mark.parametrize("document", [API, SOCKET], ids=["openapi", "asyncapi"])
def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert 10 < len(found)
    for reference in found:
        assert isinstance(resolved(document, reference), dict), reference


def test_no_schema_is_left_over() -> None:
    used = {reference.rpartition("/")[2] for reference in references(API)}
    assert used == API["components"]["schemas"].keys()


@every_operation
def test_an_operation_says_all_that_there_is_to_say(name: str) -> None:
    method, path, operation = OPERATIONS[name]
    scope = next(route.opt["scope"] for route in ROUTES if route.operation_id == name)
    assert [{"key": [scope]}] == operation["security"]
    assert f"Scope: `{scope}`." in operation["description"]
    assert not operation["description"].startswith("\n")
    assert operation["summary"]
    assert set(operation["tags"]) <= {tag["name"] for tag in API["tags"]}
    assert set(operation.get("parameters", ()) and [one["name"] for one in operation["parameters"] if one["in"] == "path"]) == {
        part[1:-1] for part in path.split("/") if part.startswith("{")
    }
    answers = operation["responses"]
    wanted = {"401", "403", "429"} | ({"400", "413", "422"} if "requestBody" in operation else set())
    assert (method == "POST") == ("Idempotency-Key" in {one["name"] for one in operation.get("parameters", ())})
    assert wanted <= answers.keys()
    for status, answer in answers.items():
        if status >= "400":
            assert {"application/problem+json"} == answer["content"].keys()
            assert "#/components/schemas/Problem" == answer["content"]["application/problem+json"]["schema"]["$ref"]
            assert answer["description"]
        elif status != "204":
            assert "example" in answer["content"]["application/json"]
    if method in {"POST", "PUT"} and "requestBody" in operation:
        assert "example" in operation["requestBody"]["content"]["application/json"]


async def test_a_dry_run_is_answered_as_documented(server: Running, api: ApiClient) -> None:
    tried = 0
    async with server.socket("ada", name="Ada", roles=("premium",)) as page:
        there = await places(api, page)
        for method, path, operation in OPERATIONS.values():
            if "200" not in operation["responses"] or not is_dry_run(operation, "200"):
                continue
            example = operation["requestBody"]["content"]["application/json"]["example"]
            answer = await api.call(method, f"{path.removeprefix('/api/v1').format_map(there)}?dry_run=true", example)
            assert HTTPStatus.OK == answer.status_code, answer.text
            content = operation["responses"]["200"]["content"]["application/json"]
            for value in (answer.json(), content["example"]):
                validator(API, content["schema"]).validate(value)
            assert content["example"].keys() == answer.json().keys()
            tried += 1
    assert len([route for route in ROUTES if route.opt["dry_run"]]) == tried


@every_route
def test_examples_are_what_the_types_say(route: Any) -> None:
    _, _, operation = OPERATIONS[route.operation_id]
    if route.opt["takes"] is not None:
        msgspec.json.decode(json.dumps(route.opt["takes"]), type=route.parsed_data_field.annotation)
        content = operation["requestBody"]["content"]["application/json"]
        validator(API, content["schema"]).validate(content["example"])
    assert (route.opt["takes"] is None) == (route.parsed_data_field is None)
    if route.opt["gives"] is not None:
        content = operation["responses"][str(route.status_code)]["content"]["application/json"]
        validator(API, content["schema"]).validate(content["example"])
        assert resolved(API, content["schema"]["$ref"])["properties"].keys() >= content["example"].keys()
    assert (route.opt["gives"] is None) == (route.status_code == HTTPStatus.NO_CONTENT)


def is_dry_run(operation: dict[str, Any], status: str) -> bool:
    return "With `dry_run=true`" in operation["responses"][status]["description"]


async def places(api: ApiClient, page: SocketClient) -> dict[str, str]:
    """Something real for every `{id}` in a path."""
    announcement = await api.post(
        "/announcements", OPERATIONS["create_announcement"][2]["requestBody"]["content"]["application/json"]["example"]
    )
    notification = await api.post("/notifications", {"user_ids": ["ada"], "title": "x"})
    key = await api.post("/api-keys", {"name": "x", "scopes": ["admin"]})
    room = (await api.post("/rooms", {})).json()["id"]
    message = await api.post(f"/rooms/{room}/messages", {"message": "x"})
    await api.put(f"/rooms/{room}/members/ada")
    await api.post("/follows", {"follower_id": "eve", "followee_id": "ada"})
    return {
        "announcement_id": announcement.json()["id"],
        "notification_id": notification.json()["items"][0]["id"],
        "broadcast_id": (await api.broadcast("x"))["id"],
        "connection_id": page.id,
        "key_id": key.json()["id"],
        "user_id": "ada",
        "room_id": room,
        "message_id": message.json()["id"],
        "follower_id": "eve",
        "followee_id": "ada",
    }


async def test_an_example_that_is_really_sent_is_answered_as_documented(server: Running, api: ApiClient) -> None:
    for name, (method, path, operation) in OPERATIONS.items():
        example = operation["requestBody"]["content"]["application/json"]["example"] if "requestBody" in operation else None
        async with server.socket("ada", name="Ada", roles=("premium",)) as page:
            answer = await api.call(method, path.removeprefix("/api/v1").format_map(await places(api, page)), example)
        status = str(answer.status_code)
        may_be = {told for told in operation["responses"] if told < "300" and not is_dry_run(operation, told)}
        assert status in may_be, f"{name}: {answer.text}"
        assert {header.lower() for header in operation["responses"][status].get("headers", {})} <= answer.headers.keys()
        if status == "204":
            assert b"" == answer.content
        else:
            content = operation["responses"][status]["content"]["application/json"]
            validator(API, content["schema"]).validate(answer.json())
            assert content["example"].keys() == answer.json().keys()


async def test_a_refusal_is_the_documented_problem(server: Running) -> None:
    problem = validator(API, API["components"]["schemas"]["Problem"])
    unknown = dict.fromkeys(("announcement_id", "notification_id", "message_id"), "0" * 32)
    unknown |= dict.fromkeys(("broadcast_id", "connection_id", "key_id", "user_id", "room_id", "follower_id", "followee_id"), "x")
    async with ApiClient(server.url, None) as stranger:
        for method, path, _ in OPERATIONS.values():
            answer = await stranger.call(method, path.removeprefix("/api/v1").format_map(unknown), {})
            assert (HTTPStatus.UNAUTHORIZED, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
            problem.validate(answer.json())


async def test_the_server_shows_the_committed_document(api: ApiClient) -> None:
    shown = await api.http.get("/openapi.json")
    assert json.loads((COMMITTED / "openapi.json").read_text()) == shown.json()
    assert "application/json" == shown.headers["content-type"]


def test_the_other_document_is_asyncapi() -> None:
    assert "3.0.0" == SOCKET["asyncapi"]
    assert {"title", "version", "description"} == SOCKET["info"].keys()
    channels = SOCKET["channels"]
    assert ["/ws", "/ws/htmx", "/ws/turbo", "/sse"] == [channel["address"] for channel in channels.values()]
    assert channels["socket"]["messages"].keys() == MESSAGES.keys()
    assert {"receive", "send"} == {operation["action"] for operation in SOCKET["operations"].values()}
    told = [message["$ref"] for operation in SOCKET["operations"].values() for message in operation["messages"]]
    assert sorted(f"#/channels/socket/messages/{name}" for name in MESSAGES) == sorted(told)
    for close in Close:
        assert f"- {close.code} {close.reason}" in SOCKET["info"]["description"]


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_has_examples_and_they_are_what_its_type_says(name: str) -> None:
    message = SOCKET["components"]["messages"][name]
    assert message["summary"]
    assert message["examples"]
    for example in message["examples"]:
        read = msgspec.json.decode(json.dumps(example["payload"]), type=MESSAGES[name])
        assert example["payload"].items() <= json.loads(msgspec.json.encode(read)).items()
        validator(SOCKET, message["payload"]).validate(example["payload"])


async def test_what_is_really_said_is_what_the_document_says(server: Running, api: ApiClient) -> None:
    request = SOCKET["components"]["messages"]["request"]["examples"][0]["payload"]
    batch = OPERATIONS["create_broadcast_batch"][2]["requestBody"]["content"]["application/json"]["example"]
    async with server.socket("ada", roles=("admin",)) as page:
        heard = {"hello": page.hello}
        await api.broadcast("<b>x</b>")
        heard["update"] = await page.next()
        assert HTTPStatus.ACCEPTED == (await api.post("/broadcasts/batch", batch)).status_code
        heard["batch"] = await page.next()
        await page.say({**request, "target": ""})
        heard["error"] = await page.next()
    for name, message in heard.items():
        validator(SOCKET, SOCKET["components"]["messages"][name]["payload"]).validate(message)
