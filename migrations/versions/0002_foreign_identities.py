"""Identities from elsewhere, propagation, merges and duplicates."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FIRST_EVENTS = (
    "created",
    "document_validated",
    "insi_accepted",
    "insi_confirmed",
    "insi_denied",
    "strict_trait_changed",
    "complementary_trait_changed",
    "attribute_set",
    "attribute_removed",
    "foreign_confirmed",
    "foreign_trusted",
    "foreign_denied",
)
EVENTS = (
    *FIRST_EVENTS,
    "foreign_validated",
    "foreign_retrieved",
    "foreign_provisional",
    "merged",
    "absorbed",
    "separated",
)


def upgrade() -> None:
    _events(EVENTS)
    op.create_table(
        "trust_contract",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sender", sa.String(length=128), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "scope IN ('own_domain', 'no_direct_care')", name=op.f("ck_trust_contract_scope")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trust_contract")),
    )
    op.create_index(
        "uq_trust_contract_live",
        "trust_contract",
        ["sender"],
        unique=True,
        postgresql_where="ended_at IS NULL",
    )
    op.create_table(
        "duplicate_pair",
        sa.Column("low_id", sa.Uuid(), nullable=False),
        sa.Column("high_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "state IN ('DPOT', 'DOUA', 'HOMA')", name=op.f("ck_duplicate_pair_state")
        ),
        sa.CheckConstraint("low_id < high_id", name=op.f("ck_duplicate_pair_ordered")),
        sa.ForeignKeyConstraint(
            ["high_id"], ["patient.id"], name=op.f("fk_duplicate_pair_high_id_patient")
        ),
        sa.ForeignKeyConstraint(
            ["low_id"], ["patient.id"], name=op.f("fk_duplicate_pair_low_id_patient")
        ),
        sa.PrimaryKeyConstraint("low_id", "high_id", name=op.f("pk_duplicate_pair")),
    )
    op.create_table(
        "feed_identifier",
        sa.Column("authority", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("last_event_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_feed_identifier_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("authority", "value", name=op.f("pk_feed_identifier")),
    )
    op.create_index(
        op.f("ix_feed_identifier_patient_id"), "feed_identifier", ["patient_id"], unique=False
    )
    op.create_table(
        "foreign_identity",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("created_patient", sa.Boolean(), nullable=False),
        sa.Column("sender", sa.String(length=128), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("traits", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("ins_digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt_no", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.String(), nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'ok', 'ko', 'unclear', 'conflict', 'closed')",
            name=op.f("ck_foreign_identity_state"),
        ),
        sa.CheckConstraint("attempt_no >= 0", name=op.f("ck_foreign_identity_attempt_no")),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_foreign_identity_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_foreign_identity")),
    )
    op.create_index(
        "ix_foreign_identity_due",
        "foreign_identity",
        ["due_at"],
        unique=False,
        postgresql_where="state = 'pending'",
    )
    op.create_index(
        op.f("ix_foreign_identity_patient_id"), "foreign_identity", ["patient_id"], unique=False
    )
    op.create_index(op.f("ix_foreign_identity_state"), "foreign_identity", ["state"], unique=False)
    op.create_table(
        "identity_outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("to_status", sa.String(), nullable=False),
        sa.Column("absorbed_ipp", sa.String(), nullable=False),
        sa.Column("withdrawn_oid", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt_no", sa.Integer(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.String(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('A28', 'A31', 'A40', 'A47')", name=op.f("ck_identity_outbox_kind")
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'sent', 'failed')", name=op.f("ck_identity_outbox_state")
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_identity_outbox_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_outbox")),
        sa.UniqueConstraint("seq", name=op.f("uq_identity_outbox_seq")),
    )
    op.create_index(
        "ix_identity_outbox_due",
        "identity_outbox",
        ["due_at"],
        unique=False,
        postgresql_where="state = 'pending'",
    )
    op.create_index(
        "ix_identity_outbox_line",
        "identity_outbox",
        ["patient_id", "partner", "seq"],
        unique=False,
        postgresql_where="state <> 'sent'",
    )
    op.create_table(
        "ins_disclosure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_ins_disclosure_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ins_disclosure")),
    )
    op.create_index(
        op.f("ix_ins_disclosure_patient_id"), "ins_disclosure", ["patient_id"], unique=False
    )
    op.create_table(
        "patient_merge",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("survivor_id", sa.Uuid(), nullable=False),
        sa.Column("absorbed_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("moved", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_reason", sa.String(), nullable=False),
        sa.Column("undone_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["absorbed_id"], ["patient.id"], name=op.f("fk_patient_merge_absorbed_id_patient")
        ),
        sa.ForeignKeyConstraint(
            ["survivor_id"], ["patient.id"], name=op.f("fk_patient_merge_survivor_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_merge")),
    )
    op.create_index(
        op.f("ix_patient_merge_absorbed_id"), "patient_merge", ["absorbed_id"], unique=False
    )
    op.create_index(
        op.f("ix_patient_merge_survivor_id"), "patient_merge", ["survivor_id"], unique=False
    )
    op.create_table(
        "foreign_data",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("foreign_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.CheckConstraint(
            "state IN ('held', 'released', 'filed', 'refused')", name=op.f("ck_foreign_data_state")
        ),
        sa.ForeignKeyConstraint(
            ["foreign_id"],
            ["foreign_identity.id"],
            name=op.f("fk_foreign_data_foreign_id_foreign_identity"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_foreign_data")),
        sa.UniqueConstraint("kind", "reference", name=op.f("uq_foreign_data_kind")),
    )
    op.create_index(
        op.f("ix_foreign_data_foreign_id"), "foreign_data", ["foreign_id"], unique=False
    )
    op.create_index(op.f("ix_foreign_data_state"), "foreign_data", ["state"], unique=False)
    op.add_column("patient", sa.Column("merged_into_id", sa.Uuid(), nullable=True))
    op.create_index(op.f("ix_patient_merged_into_id"), "patient", ["merged_into_id"], unique=False)
    op.create_foreign_key(
        op.f("fk_patient_merged_into_id_patient"), "patient", "patient", ["merged_into_id"], ["id"]
    )
    op.create_check_constraint(
        op.f("ck_patient_merged_elsewhere"), "patient", "merged_into_id <> id"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("fk_patient_merged_into_id_patient"), "patient", type_="foreignkey")
    op.drop_index(op.f("ix_patient_merged_into_id"), table_name="patient")
    op.drop_column("patient", "merged_into_id")
    op.drop_index(op.f("ix_foreign_data_state"), table_name="foreign_data")
    op.drop_index(op.f("ix_foreign_data_foreign_id"), table_name="foreign_data")
    op.drop_table("foreign_data")
    op.drop_index(op.f("ix_patient_merge_survivor_id"), table_name="patient_merge")
    op.drop_index(op.f("ix_patient_merge_absorbed_id"), table_name="patient_merge")
    op.drop_table("patient_merge")
    op.drop_index(op.f("ix_ins_disclosure_patient_id"), table_name="ins_disclosure")
    op.drop_table("ins_disclosure")
    op.drop_index(
        "ix_identity_outbox_line", table_name="identity_outbox", postgresql_where="state <> 'sent'"
    )
    op.drop_index(
        "ix_identity_outbox_due", table_name="identity_outbox", postgresql_where="state = 'pending'"
    )
    op.drop_table("identity_outbox")
    op.drop_index(op.f("ix_foreign_identity_state"), table_name="foreign_identity")
    op.drop_index(op.f("ix_foreign_identity_patient_id"), table_name="foreign_identity")
    op.drop_index(
        "ix_foreign_identity_due",
        table_name="foreign_identity",
        postgresql_where="state = 'pending'",
    )
    op.drop_table("foreign_identity")
    op.drop_index(op.f("ix_feed_identifier_patient_id"), table_name="feed_identifier")
    op.drop_table("feed_identifier")
    op.drop_table("duplicate_pair")
    op.drop_index(
        "uq_trust_contract_live", table_name="trust_contract", postgresql_where="ended_at IS NULL"
    )
    op.drop_table("trust_contract")
    _events(FIRST_EVENTS)


def _events(allowed: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{event}'" for event in allowed)
    op.drop_constraint(op.f("ck_identity_history_event"), "identity_history")
    op.create_check_constraint(
        op.f("ck_identity_history_event"), "identity_history", f"event IN ({listed})"
    )
