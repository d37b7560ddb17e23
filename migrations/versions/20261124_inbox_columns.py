"""Notifications can be archived, and wait for users who are away."""

import sqlalchemy as sa
from alembic import op

revision = "20261124_inbox"
down_revision = "20261124_follows"
branch_labels = None
depends_on = None

WAITING = sa.text("archived_at IS NULL AND (read_at IS NULL OR seen_at IS NULL)")
UNDELIVERED = sa.text("delivered_at IS NULL")


def upgrade() -> None:
    """Add the columns. What was sent before counts as delivered: nobody is told of old news at the next connect."""
    op.add_column("notifications", sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("notifications", sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE notifications SET delivered_at = created_at")
    op.drop_index("ix_notifications_user_id_read_at", "notifications")
    op.create_index(
        "ix_notifications_waiting", "notifications", ["user_id"], sqlite_where=WAITING, postgresql_where=WAITING
    )
    op.create_index(
        "ix_notifications_undelivered", "notifications", ["user_id", "id"], sqlite_where=UNDELIVERED, postgresql_where=UNDELIVERED
    )


def downgrade() -> None:
    """Drop the columns."""
    op.drop_index("ix_notifications_undelivered", "notifications")
    op.drop_index("ix_notifications_waiting", "notifications")
    op.create_index("ix_notifications_user_id_read_at", "notifications", ["user_id", "read_at"])
    op.drop_column("notifications", "delivered_at")
    op.drop_column("notifications", "archived_at")
