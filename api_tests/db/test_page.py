"""Pages of a list: newest first, and steady while rows come and go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select

from app.db.page import NewestFirst, decode_cursor, encode_cursor
from app.db.session import Database
from app.features.announcements.model import AnnouncementRow
from app.kernel.clock import utc_now
from app.kernel.errors import InvalidFields
from app.kernel.ids import new_id


async def add(database: Database, *titles: str, priority: str = "low") -> None:
    async with database.transaction() as session:
        for title in titles:
            row = AnnouncementRow(id=new_id(), title=title, message="", priority=priority, author="", created_at=utc_now())
            session.add(row)


async def page(database: Database, limit: int, cursor: str | None = None, priority: str = "low") -> tuple[list[str], str | None]:
    query = select(AnnouncementRow).where(AnnouncementRow.priority == priority)
    async with database.reading() as session:
        found = await NewestFirst(query, AnnouncementRow.id).page(session, limit=limit, cursor=cursor)
    return [row.title for row in found.rows], found.next_cursor


async def test_pages_go_on_where_the_one_before_ended(database):
    await add(database, *"abcde")
    await add(database, "other", priority="high")
    first, cursor = await page(database, 2)
    second, next_cursor = await page(database, 2, cursor)
    third, end = await page(database, 2, next_cursor)
    assert (["e", "d"], ["c", "b"], ["a"], None) == (first, second, third, end)


async def test_a_list_that_fills_its_last_page_ends_there(database):
    assert ([], None) == await page(database, 2)
    await add(database, "a", "b")
    assert (["b", "a"], None) == await page(database, 2)
    assert (["b", "a"], None) == await page(database, 200)


async def test_rows_that_come_and_go_shift_nothing(database):
    await add(database, *"abcd")
    first, cursor = await page(database, 2)
    await add(database, "new")
    async with database.transaction() as session:
        await session.execute(delete(AnnouncementRow).where(AnnouncementRow.title.in_(["c", "b"])))  # also the one of the cursor
    assert (["d", "c"], (["a"], None)) == (first, await page(database, 2, cursor))


@pytest.mark.parametrize("cursor", ["", "x", "=", "é", "AAAA", "/w", encode_cursor("7"), encode_cursor(""), "a" * 256])
async def test_what_was_never_a_cursor_is_refused_by_name(database, cursor):
    with pytest.raises(InvalidFields) as refused:
        await page(database, 2, cursor)
    (field,) = refused.value.fields
    assert ("?cursor", True) == (field.pointer, "take it from `next_cursor` as it is" in field.detail)


async def test_a_wrong_cursor_is_422_over_rest_too(api):
    for path in ("/announcements", "/api-keys", "/users/ada/notifications"):
        answer = await api.get(f"{path}?cursor=nonsense")
        assert (422, "?cursor") == (answer.status_code, answer.json()["errors"][0]["pointer"])


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_a_cursor_says_what_was_put_in(place):
    cursor = encode_cursor(place)
    assert place == decode_cursor(cursor)
    assert all(character.isalnum() or character in "-_" for character in cursor)


def test_a_cursor_that_holds_what_no_database_takes_is_refused():
    with pytest.raises(InvalidFields, match="not a cursor"):
        decode_cursor(encode_cursor("a\0b"))
