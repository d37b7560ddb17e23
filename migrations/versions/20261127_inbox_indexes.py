"""Each of a user's lists of notifications, and what waits for the user, has an index of its own."""

import sqlalchemy as sa
from alembic import op

from app.db.migrate import beside_writers

revision = "20261127_inbox_indexes"
down_revision = "20261127_audit_connections"
branch_labels = None
depends_on = None

LISTS = {
    "listed": ("archived_at IS NULL", ["user_id", "id"]),
    "archived": ("archived_at IS NOT NULL", ["user_id", "id"]),
    "unread": ("archived_at IS NULL AND read_at IS NULL", ["user_id", "read_at", "id", "archived_at"]),
    "unseen": ("archived_at IS NULL AND seen_at IS NULL", ["user_id", "seen_at", "id", "archived_at"]),
    "unpushed": ("delivered_at IS NULL", ["user_id", "delivered_at", "read_at", "archived_at", "id"]),
}
WAITING = "archived_at IS NULL AND (read_at IS NULL OR seen_at IS NULL)"


def create(name: str, columns: list[str], condition: str | None = None) -> None:
    """Make an index. What an earlier try may have left half made is removed first."""
    where = None if condition is None else sa.text(condition)
    drop(name)
    op.create_index(
        name, "notifications", columns, sqlite_where=where, postgresql_where=where, postgresql_concurrently=True
    )


def drop(name: str) -> None:
    """Remove an index."""
    op.drop_index(name, "notifications", if_exists=True, postgresql_concurrently=True)


def upgrade() -> None:
    """Make the new ones, then drop the old ones."""
    with beside_writers():
        for name, (condition, columns) in LISTS.items():
            create(f"ix_notifications_{name}", columns, condition)
        for name in ("waiting", "user_id_id", "undelivered"):
            drop(f"ix_notifications_{name}")


def downgrade() -> None:
    """Make the old ones, then drop the new ones."""
    with beside_writers():
        create("ix_notifications_user_id_id", ["user_id", "id"])
        create("ix_notifications_waiting", ["user_id"], WAITING)
        create("ix_notifications_undelivered", ["user_id", "id"], "delivered_at IS NULL")
        for name in LISTS:
            drop(f"ix_notifications_{name}")
