"""Messages, in a room or to one user."""

import sqlalchemy as sa
from alembic import op

revision = "20261124_messages"
down_revision = "20261124_rooms"
branch_labels = None
depends_on = None

WORD = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")

UNDELIVERED = sa.text("delivered_at IS NULL AND recipient_id IS NOT NULL")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("room_id", WORD, nullable=True),
        sa.Column("recipient_id", WORD, nullable=True),
        sa.Column("sender_id", WORD, nullable=True),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(room_id IS NULL) <> (recipient_id IS NULL)", name=op.f("ck_messages_one_place")),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_messages_room_id_rooms", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["recipient_id"], ["users.id"], name="fk_messages_recipient_id_users", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sender_id"], ["users.id"], name="fk_messages_sender_id_users", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
    )
    op.create_index("ix_messages_room_id_id", "messages", ["room_id", "id"])
    op.create_index("ix_messages_recipient_id_id", "messages", ["recipient_id", "id"])
    op.create_index(
        "ix_messages_undelivered", "messages", ["recipient_id", "id"], sqlite_where=UNDELIVERED, postgresql_where=UNDELIVERED
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("messages")
