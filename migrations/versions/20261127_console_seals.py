"""What cookies of the console are sealed with."""

import sqlalchemy as sa
from alembic import op

revision = "20261127_console_seals"
down_revision = "20261127_console"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, which gets its row when somebody signs in. Who was signed in before signs in again."""
    op.create_table(
        "console_seals",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("secret", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_console_seals"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("console_seals")
