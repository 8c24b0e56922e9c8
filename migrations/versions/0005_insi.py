"""INSi: the structure of a call, calls by card, verifications in bulk."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("insi_call", sa.Column("struct_idnat", sa.String(), nullable=True))
    op.create_unique_constraint(op.f("uq_insi_call_message_id"), "insi_call", ["message_id"])
    _modes("MANU", "AUTO", "CPX")
    op.create_table(
        "insi_batch",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("structure", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("ps_idnat", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempt_no", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('created', 'sent', 'answered', 'applied', 'failed')",
            name=op.f("ck_insi_batch_state"),
        ),
        sa.CheckConstraint("mode IN ('MANU', 'AUTO', 'CPX')", name=op.f("ck_insi_batch_mode")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_insi_batch")),
    )
    op.create_index(
        "uq_insi_batch_open",
        "insi_batch",
        ["structure"],
        unique=True,
        postgresql_where="state IN ('created', 'sent', 'answered')",
    )
    op.create_table(
        "insi_batch_item",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("digest_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "verdict IS NULL OR applied_at IS NOT NULL",
            name=op.f("ck_insi_batch_item_verdict_is_applied"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["insi_batch.id"], name=op.f("fk_insi_batch_item_batch_id_insi_batch")
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_insi_batch_item_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("batch_id", "rank", name=op.f("pk_insi_batch_item")),
    )
    op.create_index(op.f("ix_insi_batch_item_patient_id"), "insi_batch_item", ["patient_id"])


def downgrade() -> None:
    op.drop_table("insi_batch_item")
    op.drop_table("insi_batch")
    op.execute("UPDATE insi_call SET mode = 'MANU' WHERE mode = 'CPX'")
    _modes("MANU", "AUTO")
    op.drop_constraint(op.f("uq_insi_call_message_id"), "insi_call", type_="unique")
    op.drop_column("insi_call", "struct_idnat")


def _modes(*modes: str) -> None:
    name = op.f("ck_insi_call_mode")
    listed = ", ".join(f"'{mode}'" for mode in modes)
    op.drop_constraint(name, "insi_call", type_="check")
    op.create_check_constraint(name, "insi_call", f"mode IN ({listed})")
