"""Keys may be held to some places of a page."""

import sqlalchemy as sa
from alembic import op

revision = "20261127_targets"
down_revision = "20261127_revocations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Keys that there are may write everywhere, as before."""
    op.add_column("api_keys", sa.Column("targets", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("api_keys", "targets")
