"""Delegations of a physician to staff; situations that an administrator gives, with dates."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_KEY = ["account_id", "profession", "specialty", "place", "mode"]


def upgrade() -> None:
    op.create_table(
        "delegation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("delegator_id", sa.Uuid(), nullable=False),
        sa.Column("delegate_id", sa.Uuid(), nullable=False),
        sa.Column("struct_idnat", sa.String(length=64), nullable=False),
        sa.Column("actions", postgresql.JSONB(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("valid_to > valid_from", name=op.f("ck_delegation_period")),
        sa.CheckConstraint("delegator_id <> delegate_id", name=op.f("ck_delegation_two_people")),
        sa.ForeignKeyConstraint(
            ["delegator_id"], ["account.id"], name=op.f("fk_delegation_delegator_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["delegate_id"], ["account.id"], name=op.f("fk_delegation_delegate_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delegation")),
    )
    op.create_index(op.f("ix_delegation_delegator_id"), "delegation", ["delegator_id"])
    op.create_index(op.f("ix_delegation_delegate_id"), "delegation", ["delegate_id"])
    op.add_column(
        "situation", sa.Column("source", sa.String(), nullable=False, server_default="PSC")
    )
    op.alter_column("situation", "source", server_default=None)
    op.add_column("situation", sa.Column("valid_from", sa.DateTime(timezone=True)))
    op.add_column("situation", sa.Column("valid_to", sa.DateTime(timezone=True)))
    op.add_column("situation", sa.Column("granted_by_id", sa.Uuid()))
    op.create_foreign_key(
        op.f("fk_situation_granted_by_id_account"),
        "situation", "account", ["granted_by_id"], ["id"],
    )  # fmt: skip
    op.create_check_constraint(
        op.f("ck_situation_source"), "situation", "source IN ('PSC', 'MANUAL')"
    )
    op.create_check_constraint(
        op.f("ck_situation_dated"),
        "situation",
        "source = 'PSC' OR (valid_from IS NOT NULL AND valid_to > valid_from)",
    )
    op.drop_index("uq_situation_key", "situation")
    op.create_index(
        "uq_situation_key", "situation", _KEY, unique=True,
        postgresql_where=sa.text("source = 'PSC'"),
    )  # fmt: skip


def downgrade() -> None:
    # A session or a report may speak of a manual situation: it stays, ended, under a key of its own
    op.execute(
        "UPDATE situation SET ended_at = coalesce(ended_at, now()), place = id::text "
        "WHERE source = 'MANUAL'"
    )
    op.drop_index("uq_situation_key", "situation")
    op.create_index("uq_situation_key", "situation", _KEY, unique=True)
    op.drop_constraint(op.f("ck_situation_dated"), "situation")
    op.drop_constraint(op.f("ck_situation_source"), "situation")
    op.drop_constraint(op.f("fk_situation_granted_by_id_account"), "situation")
    for column in ("granted_by_id", "valid_to", "valid_from", "source"):
        op.drop_column("situation", column)
    op.drop_table("delegation")
