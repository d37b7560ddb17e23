"""What was stored and is still to be pushed."""

import sqlalchemy as sa
from alembic import op

revision = "20261127_unsent"
down_revision = "20261124_dashboard"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "unsent",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("things", sa.JSON(), nullable=False),
        sa.Column("heard_by", sa.JSON(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_unsent"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("unsent")
