"""Who follows whom, and what users say of themselves."""

import sqlalchemy as sa
from alembic import op

revision = "20261124_follows"
down_revision = "20261124_messages"
branch_labels = None
depends_on = None

WORD = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table and the column."""
    op.create_table(
        "follows",
        sa.Column("follower_id", WORD, nullable=False),
        sa.Column("followee_id", WORD, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("follower_id <> followee_id", name=op.f("ck_follows_not_oneself")),
        sa.ForeignKeyConstraint(["follower_id"], ["users.id"], name="fk_follows_follower_id_users", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["followee_id"], ["users.id"], name="fk_follows_followee_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("follower_id", "followee_id", name="pk_follows"),
    )
    op.create_index("ix_follows_followee_id_follower_id", "follows", ["followee_id", "follower_id"])
    op.add_column("users", sa.Column("status", sa.String(200), nullable=False, server_default=""))


def downgrade() -> None:
    """Drop the table and the column."""
    op.drop_column("users", "status")
    op.drop_table("follows")
