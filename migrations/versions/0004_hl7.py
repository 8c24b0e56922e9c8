"""The messages received over HL7 v2."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hl7_message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("sender_application", sa.String(length=227), nullable=False),
        sa.Column("sender_facility", sa.String(length=227), nullable=False),
        sa.Column("control_id", sa.String(length=199), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("ack_code", sa.String(length=2), nullable=False),
        sa.Column("ack", sa.LargeBinary(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("outcome", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('received', 'applied', 'refused')", name=op.f("ck_hl7_message_state")
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_hl7_message_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hl7_message")),
        sa.UniqueConstraint("seq", name=op.f("uq_hl7_message_seq")),
    )
    op.create_index(
        "uq_hl7_message_key",
        "hl7_message",
        ["sender_application", "sender_facility", "control_id"],
        unique=True,
    )
    op.create_index(
        "ix_hl7_message_waiting",
        "hl7_message",
        ["seq"],
        postgresql_where=sa.text("state = 'received'"),
    )
    op.create_index(op.f("ix_hl7_message_patient_id"), "hl7_message", ["patient_id"])
    op.create_index(op.f("ix_hl7_message_received_at"), "hl7_message", ["received_at"])


def downgrade() -> None:
    op.drop_table("hl7_message")
