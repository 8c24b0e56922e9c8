"""Expiry warnings given once for each certificate and threshold."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "certificate_warning",
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.Column("usage", sa.String(length=64), nullable=False),
        sa.Column("threshold", sa.Integer(), nullable=False),
        sa.Column("warned_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "fingerprint", "usage", "threshold", name=op.f("pk_certificate_warning")
        ),
    )


def downgrade() -> None:
    op.drop_table("certificate_warning")
