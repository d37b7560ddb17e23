"""The audit log is found by connection."""

import sqlalchemy as sa
from alembic import op

revision = "20261127_audit_connections"
down_revision = "20261127_console_seals"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Events of before have none: their connections are gone, and rows of the log are never changed."""
    op.add_column("audit_events", sa.Column("connection_id", sa.String(128), nullable=True))
    known = sa.text("connection_id IS NOT NULL")
    columns = ["connection_id", "id"]
    op.create_index("ix_audit_events_connection_id_id", "audit_events", columns, sqlite_where=known, postgresql_where=known)


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_audit_events_connection_id_id", "audit_events")
    op.drop_column("audit_events", "connection_id")
