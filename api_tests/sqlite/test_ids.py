"""Many ids in one statement."""

from sqlalchemy import select

from app.db.ids import among
from app.features.users import UserRow


async def test_they_are_looked_up_by_the_index(database):
    async with database.reading() as session:
        query = select(UserRow.name).where(among(session, UserRow.id, ["ada"]))
        compiled = str(query.compile(session.get_bind(), compile_kwargs={"literal_binds": True}))
        connection = await session.connection()
        plan = str((await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")).all())
    assert "SEARCH users USING INDEX" in plan
