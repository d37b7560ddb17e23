"""Users whose tokens were revoked."""

import sqlalchemy as sa
from alembic import op

revision = "20261127_revocations"
down_revision = "20261127_targets"
branch_labels = None
depends_on = None

WORD = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "token_revocations",
        sa.Column("user_id", WORD, nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_token_revocations"),
    )
    op.create_index("ix_token_revocations_revoked_at", "token_revocations", ["revoked_at"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("token_revocations")
