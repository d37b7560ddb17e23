"""Announcements have a time to be shown and a time to go."""

import sqlalchemy as sa
from alembic import op

revision = "20261124_schedule"
down_revision = "20261124_inbox"
branch_labels = None
depends_on = None

COLUMNS = "edited_at", "publish_at", "expires_at", "published_at"
SHOWN = sa.text("published_at IS NOT NULL")
NOT_YET = sa.text("published_at IS NULL")


def upgrade() -> None:
    """Add the columns. What there is has been shown when it was made."""
    for column in COLUMNS:
        op.add_column("announcements", sa.Column(column, sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE announcements SET published_at = created_at")
    op.create_index("ix_announcements_shown", "announcements", ["expires_at"], sqlite_where=SHOWN, postgresql_where=SHOWN)
    op.create_index("ix_announcements_due", "announcements", ["publish_at"], sqlite_where=NOT_YET, postgresql_where=NOT_YET)


def downgrade() -> None:
    """Drop the columns."""
    op.drop_index("ix_announcements_due", "announcements")
    op.drop_index("ix_announcements_shown", "announcements")
    for column in reversed(COLUMNS):
        op.drop_column("announcements", column)
