"""Suspected duplicates found by a scan, their history, and collisions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_PAIR = "state IN ('DPOT', 'DOUA', 'HOMA')"


def upgrade() -> None:
    when = sa.DateTime(timezone=True)
    op.add_column(
        "duplicate_pair",
        sa.Column("found_at", when, nullable=False, server_default=sa.text("now()")),
    )
    op.add_column(
        "duplicate_pair", sa.Column("version", sa.Integer(), nullable=False, server_default="1")
    )
    op.alter_column("duplicate_pair", "decided_at", nullable=True)
    op.create_index(
        "ix_duplicate_pair_worklist", "duplicate_pair", ["state", "score", "low_id", "high_id"]
    )
    op.create_index(op.f("ix_duplicate_pair_high_id"), "duplicate_pair", ["high_id"])
    op.create_table(
        "duplicate_decision",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("low_id", sa.Uuid(), nullable=False),
        sa.Column("high_id", sa.Uuid(), nullable=False),
        sa.Column("at", when, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(_PAIR, name=op.f("ck_duplicate_decision_state")),
        sa.ForeignKeyConstraint(
            ["low_id", "high_id"],
            ["duplicate_pair.low_id", "duplicate_pair.high_id"],
            name=op.f("fk_duplicate_decision_low_id_duplicate_pair"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duplicate_decision")),
    )
    op.create_index("ix_duplicate_decision_pair", "duplicate_decision", ["low_id", "high_id", "at"])
    op.create_table(
        "identity_collision",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("suspected_since", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("declared_at", when, nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("settled_at", when, nullable=True),
        sa.Column("settled_by", sa.Uuid(), nullable=True),
        sa.Column("settled_reason", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('COLP', 'COLV', 'NONE')", name=op.f("ck_identity_collision_state")
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_identity_collision_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_collision")),
    )
    op.create_index(
        "uq_identity_collision_open",
        "identity_collision",
        ["patient_id"],
        unique=True,
        postgresql_where=sa.text("state = 'COLP'"),
    )
    for column in ("patient_id", "declared_at"):
        op.create_index(op.f(f"ix_identity_collision_{column}"), "identity_collision", [column])


def downgrade() -> None:
    op.drop_table("identity_collision")
    op.drop_table("duplicate_decision")
    op.drop_index(op.f("ix_duplicate_pair_high_id"), "duplicate_pair")
    op.drop_index("ix_duplicate_pair_worklist", "duplicate_pair")
    op.execute("DELETE FROM duplicate_pair WHERE decided_at IS NULL")
    op.alter_column("duplicate_pair", "decided_at", nullable=False)
    op.drop_column("duplicate_pair", "version")
    op.drop_column("duplicate_pair", "found_at")
