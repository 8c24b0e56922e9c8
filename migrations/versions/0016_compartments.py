"""Members of the structures, the practice of a patient and of each exam, break-glass."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# The column used to hold the structure of whoever typed the order; it now tells whose the exam is:
# the practice of the radiologist in charge of its report. An SCM owns no exam.
_CLAIMED = """
UPDATE exam SET acting_struct_idnat = claimed.struct_idnat
  FROM (SELECT DISTINCT ON (report.exam_id) report.exam_id, situation.struct_idnat
          FROM report
          JOIN situation ON situation.id = report.situation_id
          JOIN account ON account.id = situation.account_id
         WHERE situation.struct_valid
           AND account.role IN ('RADIOLOGIST', 'NUCLEAR_PHYSICIAN')
           AND situation.struct_idnat NOT IN (SELECT struct_idnat FROM structure WHERE is_scm)
         ORDER BY report.exam_id, report.created_at DESC) AS claimed
 WHERE claimed.exam_id = exam.id
"""
_NOT_THE_SCM = """
UPDATE exam SET acting_struct_idnat = NULL
 WHERE acting_struct_idnat IN (SELECT struct_idnat FROM structure WHERE is_scm)
"""


def upgrade() -> None:
    op.create_table(
        "structure_member",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("structure_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("granted_by_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("valid_to >= valid_from", name=op.f("ck_structure_member_period")),
        sa.ForeignKeyConstraint(
            ["structure_id"],
            ["structure.id"],
            name=op.f("fk_structure_member_structure_id_structure"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_structure_member_account_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["granted_by_id"],
            ["account.id"],
            name=op.f("fk_structure_member_granted_by_id_account"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_structure_member")),
    )
    for column in ("structure_id", "account_id"):
        op.create_index(op.f(f"ix_structure_member_{column}"), "structure_member", [column])
    _break_glass()
    op.add_column("patient", sa.Column("struct_idnat", sa.String(length=64)))
    op.create_index(op.f("ix_patient_struct_idnat"), "patient", ["struct_idnat"])
    op.execute(_CLAIMED)
    op.execute(_NOT_THE_SCM)


def _break_glass() -> None:
    op.create_table(
        "break_glass",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("acting_struct_idnat", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("comment_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "reason IN ('emergency', 'continuity', 'opinion', 'other')",
            name=op.f("ck_break_glass_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_break_glass_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_break_glass")),
    )
    op.create_index(
        "ix_break_glass_held", "break_glass", ["account_id", "patient_id", "expires_at"]
    )
    op.create_index(op.f("ix_break_glass_opened_at"), "break_glass", ["opened_at"])
    op.create_table(
        "break_glass_practice",
        sa.Column("break_glass_id", sa.Uuid(), nullable=False),
        sa.Column("struct_idnat", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["break_glass_id"],
            ["break_glass.id"],
            name=op.f("fk_break_glass_practice_break_glass_id_break_glass"),
        ),
        sa.PrimaryKeyConstraint(
            "break_glass_id", "struct_idnat", name=op.f("pk_break_glass_practice")
        ),
    )
    op.create_index(
        op.f("ix_break_glass_practice_struct_idnat"), "break_glass_practice", ["struct_idnat"]
    )
    op.create_table(
        "break_glass_review",
        sa.Column("break_glass_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["break_glass_id"],
            ["break_glass.id"],
            name=op.f("fk_break_glass_review_break_glass_id_break_glass"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_break_glass_review_account_id_account")
        ),
        sa.PrimaryKeyConstraint("break_glass_id", "account_id", name=op.f("pk_break_glass_review")),
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_patient_struct_idnat"), "patient")
    op.drop_column("patient", "struct_idnat")
    for table in ("break_glass_review", "break_glass_practice", "break_glass", "structure_member"):
        op.drop_table(table)
