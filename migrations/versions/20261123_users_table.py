"""Users of the site, as far as the server knows them."""

import sqlalchemy as sa
from alembic import op

revision = "20261123_users"
down_revision = None
branch_labels = None
depends_on = None

WORD = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "users",
        sa.Column("id", WORD, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_connected_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("users")
