"""The audit log."""

import sqlalchemy as sa
from alembic import op

revision = "20261127_audit"
down_revision = "20261127_idempotency"
branch_labels = None
depends_on = None

SQLITE_TRIGGER = """
CREATE TRIGGER audit_events_are_kept BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, 'events of the audit log are never changed'); END
"""
POSTGRESQL_FUNCTION = """
CREATE FUNCTION audit_events_are_kept() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'events of the audit log are never changed'; END $$
"""
POSTGRESQL_TRIGGER = """
CREATE TRIGGER audit_events_are_kept BEFORE UPDATE ON audit_events
FOR EACH STATEMENT EXECUTE FUNCTION audit_events_are_kept()
"""


def is_sqlite() -> bool:
    """Which of the two it is, also where only statements are wanted."""
    return op.get_context().dialect.name == "sqlite"


def upgrade() -> None:
    """Make the table, whose rows are added, and deleted when they are old."""
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(8), nullable=False),
        sa.Column("actor_id", sa.String(128), nullable=False),
        sa.Column("actor_name", sa.String(200), nullable=False),
        sa.Column("operation", sa.String(64), nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.Column("audience", sa.JSON(), nullable=True),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_events"),
    )
    op.create_index("ix_audit_events_written_at", "audit_events", ["written_at"])
    op.create_index("ix_audit_events_actor_id_id", "audit_events", ["actor_id", "id"])
    op.create_index("ix_audit_events_operation_id", "audit_events", ["operation", "id"])
    for statement in [SQLITE_TRIGGER] if is_sqlite() else [POSTGRESQL_FUNCTION, POSTGRESQL_TRIGGER]:
        op.execute(statement)


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("audit_events")
    if not is_sqlite():
        op.execute("DROP FUNCTION audit_events_are_kept()")
