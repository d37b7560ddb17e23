"""Rooms, and who belongs to them."""

import sqlalchemy as sa
from alembic import op

revision = "20261124_rooms"
down_revision = "20261123_notifications"
branch_labels = None
depends_on = None

WORD = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "rooms",
        sa.Column("id", WORD, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("is_private", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rooms"),
    )
    op.create_table(
        "room_members",
        sa.Column("room_id", WORD, nullable=False),
        sa.Column("user_id", WORD, nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_room_members_room_id_rooms", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_room_members_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("room_id", "user_id", name="pk_room_members"),
    )
    op.create_index("ix_room_members_user_id", "room_members", ["user_id"])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("room_members")
    op.drop_table("rooms")
