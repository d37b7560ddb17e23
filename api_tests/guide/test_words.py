"""What `docs/broadcasting.md` says of the words of a broadcast is what the program takes."""

import json
import re
from typing import get_args

import msgspec

from api_tests.client import ApiClient
from api_tests.guide.conftest import PAGE
from api_tests.server import Running
from app.hub.audience import Audience
from app.wire.swap import STYLES

TEXT = PAGE.read_text()


def rows_of(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = TEXT.partition(f"## {heading}")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return lines[2:]


def words_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


async def test_the_json_is_a_broadcast_that_pages_are_shown(server: Running, api: ApiClient) -> None:
    bodies = [json.loads(body) for body in re.findall(r"^```json\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)]
    assert bodies
    async with server.socket("ada") as ada, server.socket() as nobody:
        for body in bodies:
            answer = await api.post("/broadcasts", body)
            assert (202, 1) == (answer.status_code, answer.json()["matched"])
            told = await ada.next()
            assert (body["target"], body.get("oob")) == (told["target"], told.get("oob"))
            assert told["html"] == body["html"] if "html" in body else "Tea &amp; &lt;cake&gt;" in told["html"]
        await api.broadcast("for all")
        await nobody.hears_nothing_but("for all")


def test_each_kind_of_audience_is_described_with_its_fields() -> None:
    described = {words_in(row[0])[0]: words_in(row[1]) for row in rows_of("Who hears")}
    kinds = [msgspec.inspect.type_info(kind) for kind in get_args(Audience)]
    assert {kind.tag: [field.encode_name for field in kind.fields] for kind in kinds} == described


def test_each_swap_is_described() -> None:
    assert sorted(STYLES) == sorted(word for row in rows_of("What is swapped") for word in words_in(row[0]))
