"""The sign-in of the signer behind each signed version, and behind the deletion of a report."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rows of before keep none: the instant of their signature stands for it (reports.authentications).
    op.add_column("document_version", sa.Column("authenticated_at", sa.DateTime(timezone=True)))
    op.add_column("document_version", sa.Column("auth_method", sa.String()))
    op.add_column("report", sa.Column("withdrawn_authenticated_at", sa.DateTime(timezone=True)))
    op.add_column("report", sa.Column("withdrawn_auth_method", sa.String()))


def downgrade() -> None:
    for column in ("withdrawn_auth_method", "withdrawn_authenticated_at"):
        op.drop_column("report", column)
    for column in ("auth_method", "authenticated_at"):
        op.drop_column("document_version", column)
