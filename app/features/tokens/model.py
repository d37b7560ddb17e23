"""The table of revoked tokens."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import WORD, Base, UtcDateTime


class TokenRevocationRow(Base):
    """A user whose tokens were revoked. The user may never have been here: the token of somebody who never came can leak, too."""

    __tablename__ = "token_revocations"

    user_id: Mapped[str] = mapped_column(WORD, primary_key=True)
    revoked_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    """What was issued until then counts no more."""
