"""Queries on the back office's figures."""

from collections.abc import Mapping

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.turns import one_at_a_time
from app.features.dashboard.model import FigureRow
from app.kernel.clock import utc_now


async def figures(session: AsyncSession) -> dict[str, float]:
    """All figures, in the order in which the back office gave them."""
    query = select(FigureRow.name, FigureRow.value).order_by(FigureRow.place)
    return dict((await session.execute(query)).all())


async def replace(session: AsyncSession, given: Mapping[str, float]) -> None:
    """Have just these figures, in this order. Two who replace them at once do so one after the other."""
    await one_at_a_time(session, "dashboard figures")
    now = utc_now()
    rows = [{"name": name, "place": place, "value": value, "updated_at": now} for place, (name, value) in enumerate(given.items())]
    await session.execute(delete(FigureRow))
    await session.execute(insert(FigureRow), rows)
