"""The application answers of the HL7 v2 enhanced mode, the list of refused messages.

With it the index that lets the pairs of a patient be found from either side.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hl7_message", sa.Column("reply", sa.LargeBinary(), server_default=""))
    op.alter_column("hl7_message", "reply", nullable=False, server_default=None)
    op.add_column("hl7_message", sa.Column("reply_due_at", sa.DateTime(timezone=True)))
    op.add_column("hl7_message", sa.Column("reply_tries", sa.Integer(), server_default="0"))
    op.alter_column("hl7_message", "reply_tries", nullable=False, server_default=None)
    op.add_column("hl7_message", sa.Column("replied_at", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_hl7_message_refused",
        "hl7_message",
        ["seq"],
        postgresql_where=sa.text("state = 'refused'"),
    )
    op.create_index(
        "ix_hl7_message_reply",
        "hl7_message",
        ["reply_due_at"],
        postgresql_where=sa.text("reply_due_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_hl7_message_reply", table_name="hl7_message")
    op.drop_index("ix_hl7_message_refused", table_name="hl7_message")
    for column in ("replied_at", "reply_tries", "reply_due_at", "reply"):
        op.drop_column("hl7_message", column)
