"""Reading what a page sends: people are told what is wrong in their words, and every field by its name."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta

from api_tests.hub.recording import make_hub, tab
from app.features import asking
from app.hub.handlers import Request
from app.kernel.errors import Refused
from app.kernel.text import NO_NUL


class Where(msgspec.Struct, frozen=True, rename="camel"):
    northern_half: Annotated[float, Meta(ge=0, le=90)]


class Asked(msgspec.Struct, rename="camel"):
    """One field of each kind that handlers ask for."""

    text: Annotated[str, Meta(min_length=1, max_length=3, pattern=NO_NUL)] = "x"
    some_number: Annotated[float, Meta(gt=0, le=1.5)] = 1
    count: Annotated[int, Meta(ge=-2)] = 0
    word: Literal["high", "low"] = "low"
    id: UUID = UUID(int=0)
    where: Where = Where(0)


def read(**data):
    return asking.read(Request(data=data), Asked)


def test_what_is_right_is_read():
    data = {"text": "abc", "someNumber": 1.5, "count": -2, "word": "high", "id": str(UUID(int=1)), "where": {"northernHalf": 90}}
    assert Asked("abc", 1.5, -2, "high", UUID(int=1), Where(90)) == read(**data)


def test_a_form_sends_numbers_as_text():
    found = read(someNumber="0.5", count="7", where={"northernHalf": "52.5"})
    assert (0.5, 7, 52.5) == (found.some_number, found.count, found.where.northern_half)


def test_what_nobody_asked_for_is_passed_over():
    assert Asked() == read(html="<b>x</b>", some_number=5)


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        ({"text": ""}, "text must not be empty"),
        ({"text": "abcd"}, "text may have 3 characters at most"),
        ({"text": "a\0"}, "text holds characters that are not allowed"),
        ({"text": 5}, "text must be a text"),
        ({"text": None}, "text must be a text"),
        ({"text": True}, "text must be a text"),
        ({"text": []}, "text must be a text"),
        ({"text": {}}, "text must be a text"),
        ({"someNumber": 0}, "someNumber must be > 0"),
        ({"someNumber": "0"}, "someNumber must be > 0"),
        ({"someNumber": 1.6}, "someNumber must be <= 1.5"),
        ({"someNumber": "many"}, "someNumber must be a number"),
        ({"someNumber": None}, "someNumber must be a number"),
        ({"someNumber": [1]}, "someNumber must be a number"),
        ({"count": -3}, "count must be >= -2"),
        ({"count": "1.5"}, "count must be a number"),
        ({"word": "urgent"}, "word must be one of high, low"),
        ({"word": ""}, "word must be one of high, low"),
        ({"word": 5}, "word must be a text"),
        ({"id": "x"}, "id is no id"),
        ({"id": 5}, "id is no id"),
        ({"id": None}, "id is no id"),
        ({"where": {}}, "where.northernHalf is missing"),
        ({"where": {"northernHalf": 91}}, "where.northernHalf must be <= 90"),
        ({"where": {"northernHalf": None}}, "where.northernHalf must be a number"),
        ({"where": None}, "where must be an object"),
        ({"where": "here"}, "where must be an object"),
        ({"where": ["here"]}, "where must be an object"),
    ],
)
def test_what_is_wrong_is_said_in_words_for_people(data, wrong):
    with pytest.raises(Refused) as refused:
        read(**data)
    assert (f"This cannot be used: {wrong}.", "bad_data", 403) == (refused.value.detail, refused.value.code, refused.value.status)


def test_a_missing_field_is_named():
    with pytest.raises(Refused, match=r"^This cannot be used: northernHalf is missing\.$"):
        asking.read(Request(), Where)


def test_what_is_written_has_no_space_around_it_and_something_in_it():
    assert "a b" == asking.written(" a b\n")
    for nothing in ("", " ", "\n\t\u3000"):
        with pytest.raises(Refused, match=r"^Please write something first$") as refused:
            asking.written(nothing)
        assert "empty_message" == refused.value.code


@pytest.mark.parametrize(("user_id", "roles", "may"), [(None, (), False), ("ada", ("premium",), False), ("ada", ("admin",), True)])
async def test_only_admins_pass_for_admins(user_id, roles, may):
    connection = tab(make_hub(), user_id, *roles).connection
    if may:
        assert asking.admin(connection) is connection.user
        return
    with pytest.raises(Refused, match=r"^Admin access required$") as refused:
        asking.admin(connection)
    assert "not_admin" == refused.value.code


async def test_only_who_is_signed_in_passes_for_somebody():
    hub = make_hub()
    ada, nobody = tab(hub, "ada").connection, tab(hub).connection
    assert asking.signed_in(ada, "dance") is ada.user
    with pytest.raises(Refused, match=r"^Please log in to dance$") as refused:
        asking.signed_in(nobody, "dance")
    assert "not_signed_in" == refused.value.code
