"""The back office's figures for the dashboard."""

import sqlalchemy as sa
from alembic import op

revision = "20261124_dashboard"
down_revision = "20261124_schedule"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "dashboard_figures",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_dashboard_figures"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("dashboard_figures")
