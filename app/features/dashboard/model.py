"""The table of the back office's figures."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, UtcDateTime


class FigureRow(Base):
    """One figure of the dashboard, such as `revenue`."""

    __tablename__ = "dashboard_figures"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    place: Mapped[int]
    """Its place among the others, as the back office gave them."""
    value: Mapped[float]
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
