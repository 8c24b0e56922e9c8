"""The tables, triggers and sequences of the first release."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE SEQUENCE accession_number_seq AS bigint")
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("ps_idnat", sa.String(length=64), nullable=False),
        sa.Column("rpps", sa.String(length=11), nullable=True),
        sa.Column("family", sa.String(length=100), nullable=False),
        sa.Column("given", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("identity_habilitated", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted_by_id", sa.Uuid(), nullable=True),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "role IN ('RADIOLOGIST', 'NUCLEAR_PHYSICIAN', 'TECHNOLOGIST', 'SECRETARY', 'INTERN', 'REFERRER', 'IDENTITY_OFFICER', 'ADMIN_SECURITY', 'ADMIN_TECH', 'AUDITOR', 'INTEGRATOR')",
            name=op.f("ck_account_role"),
        ),
        sa.CheckConstraint(
            "status IN ('ACTIVE', 'SUSPENDED', 'CLOSED')", name=op.f("ck_account_status")
        ),
        sa.ForeignKeyConstraint(
            ["granted_by_id"], ["account.id"], name=op.f("fk_account_granted_by_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("ps_idnat", name=op.f("uq_account_ps_idnat")),
        sa.UniqueConstraint("rpps", name=op.f("uq_account_rpps")),
    )
    op.create_table(
        "audit_event",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor_ps_idnat", sa.String(), nullable=True),
        sa.Column("actor_role", sa.String(), nullable=True),
        sa.Column("on_behalf_of_id", sa.Uuid(), nullable=True),
        sa.Column("acting_struct_idnat", sa.String(), nullable=True),
        sa.Column("situation_id", sa.Uuid(), nullable=True),
        sa.Column("auth_method", sa.String(), nullable=True),
        sa.Column("acr", sa.String(), nullable=True),
        sa.Column("auth_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("psc_session_state", sa.String(), nullable=True),
        sa.Column("session_hash", sa.String(), nullable=True),
        sa.Column("workstation", sa.String(), nullable=True),
        sa.Column("origin_ip", sa.String(), nullable=True),
        sa.Column("origin_port", sa.Integer(), nullable=True),
        sa.Column("target_type", sa.String(), nullable=True),
        sa.Column("target_id", sa.String(), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_event")),
    )
    op.create_index(op.f("ix_audit_event_patient_id"), "audit_event", ["patient_id"], unique=False)
    op.create_table(
        "directory_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("ps_idnat", sa.String(length=64), nullable=False),
        sa.Column("rpps", sa.String(length=11), nullable=True),
        sa.Column("family", sa.String(length=100), nullable=False),
        sa.Column("given", sa.String(length=100), nullable=False),
        sa.Column("search_key", sa.String(length=200), nullable=False),
        sa.Column("profession", sa.String(length=8), nullable=False),
        sa.Column("specialty", sa.String(length=16), nullable=False),
        sa.Column("title", sa.String(length=16), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("structure", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("mailboxes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_directory_entry")),
        sa.UniqueConstraint("ps_idnat", name=op.f("uq_directory_entry_ps_idnat")),
    )
    op.create_index(op.f("ix_directory_entry_rpps"), "directory_entry", ["rpps"], unique=False)
    op.create_index(
        op.f("ix_directory_entry_search_key"), "directory_entry", ["search_key"], unique=False
    )
    op.create_table(
        "endpoint_health",
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("open_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("endpoint", name=op.f("pk_endpoint_health")),
    )
    op.create_table(
        "idempotency",
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("method_path", sa.String(), nullable=False),
        sa.Column("body_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("actor", "key", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_created_at"), "idempotency", ["created_at"], unique=False)
    op.create_table(
        "ipp_series",
        sa.Column("authority", sa.String(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("authority", name=op.f("pk_ipp_series")),
    )
    op.create_table(
        "login_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state_hash", sa.LargeBinary(), nullable=False),
        sa.Column("binding_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("next_path", sa.String(), nullable=False),
        sa.Column("step_up", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("consumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_attempt")),
        sa.UniqueConstraint("state_hash", name=op.f("uq_login_attempt_state_hash")),
    )
    op.create_table(
        "mss_cursor",
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("uidvalidity", sa.Integer(), nullable=False),
        sa.Column("last_uid", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox", name=op.f("pk_mss_cursor")),
    )
    op.create_table(
        "patient",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("ipp", sa.String(length=32), nullable=False),
        sa.Column("ipp_oid", sa.String(), nullable=False),
        sa.Column("birth_family", sa.String(length=100), nullable=False),
        sa.Column("birth_given_names", sa.String(length=100), nullable=False),
        sa.Column("first_birth_given", sa.String(length=100), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=False),
        sa.Column("birth_date_raw", sa.String(length=10), nullable=True),
        sa.Column("sex", sa.String(length=1), nullable=False),
        sa.Column("birth_place", sa.String(length=5), nullable=False),
        sa.Column("used_family", sa.String(length=100), nullable=False),
        sa.Column("used_given", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("ins_matricule", sa.String(length=15), nullable=True),
        sa.Column("ins_oid", sa.String(length=20), nullable=True),
        sa.Column("address", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("billing_number", sa.String(length=15), nullable=True),
        sa.Column("to_review", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "ins_matricule IS NULL OR status IN ('récupérée', 'qualifiée')",
            name=op.f("ck_patient_ins_by_status"),
        ),
        sa.CheckConstraint("sex IN ('F', 'M', 'I')", name=op.f("ck_patient_sex")),
        sa.CheckConstraint(
            "status IN ('provisoire', 'récupérée', 'validée', 'qualifiée')",
            name=op.f("ck_patient_status"),
        ),
        sa.CheckConstraint(
            "(ins_matricule IS NULL) = (ins_oid IS NULL)", name=op.f("ck_patient_ins_whole")
        ),
        sa.CheckConstraint(
            "status = 'provisoire' OR NOT (attributes @> '[\"douteuse\"]' OR attributes @> '[\"fictive\"]')",
            name=op.f("ck_patient_blocking"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient")),
        sa.UniqueConstraint("ipp", name=op.f("uq_patient_ipp")),
    )
    op.create_index(op.f("ix_patient_birth_date"), "patient", ["birth_date"], unique=False)
    op.create_index(op.f("ix_patient_to_review"), "patient", ["to_review"], unique=False)
    op.create_index(
        "uq_patient_ins",
        "patient",
        ["ins_matricule", "ins_oid"],
        unique=True,
        postgresql_where="ins_matricule IS NOT NULL",
    )
    op.create_table(
        "structure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("struct_idnat", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("is_scm", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_structure")),
        sa.UniqueConstraint("struct_idnat", name=op.f("uq_structure_struct_idnat")),
    )
    op.create_table(
        "account_identifier",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("system", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=64), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_identifier_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_identifier")),
        sa.UniqueConstraint("system", "value", name=op.f("uq_account_identifier_system")),
    )
    op.create_index(
        op.f("ix_account_identifier_account_id"), "account_identifier", ["account_id"], unique=False
    )
    op.create_table(
        "identity_document",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(length=8), nullable=False),
        sa.Column("trust", sa.String(length=8), nullable=False),
        sa.Column("companion", sa.String(length=8), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("validated", sa.Boolean(), nullable=False),
        sa.Column("traits_digest", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("ps_idnat", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_identity_document_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_document")),
    )
    op.create_index(
        op.f("ix_identity_document_patient_id"), "identity_document", ["patient_id"], unique=False
    )
    op.create_table(
        "identity_history",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("from_status", sa.String(), nullable=True),
        sa.Column("to_status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("ps_idnat", sa.String(), nullable=True),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("worklist", sa.Boolean(), nullable=False),
        sa.Column("propagate", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "event IN ('created', 'document_validated', 'insi_accepted', 'insi_confirmed', 'insi_denied', 'strict_trait_changed', 'complementary_trait_changed', 'attribute_set', 'attribute_removed', 'foreign_confirmed', 'foreign_trusted', 'foreign_denied')",
            name=op.f("ck_identity_history_event"),
        ),
        sa.CheckConstraint(
            "from_status IS NULL OR from_status IN ('provisoire', 'récupérée', 'validée', 'qualifiée')",
            name=op.f("ck_identity_history_from_status"),
        ),
        sa.CheckConstraint(
            "to_status IN ('provisoire', 'récupérée', 'validée', 'qualifiée')",
            name=op.f("ck_identity_history_to_status"),
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_identity_history_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_history")),
    )
    op.create_index(
        op.f("ix_identity_history_patient_id"), "identity_history", ["patient_id"], unique=False
    )
    op.create_table(
        "identity_key",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("field", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=100, collation="C"), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"],
            ["patient.id"],
            name=op.f("fk_identity_key_patient_id_patient"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("patient_id", "field", "key", name=op.f("pk_identity_key")),
    )
    op.create_index(op.f("ix_identity_key_key"), "identity_key", ["key"], unique=False)
    op.create_table(
        "imaging_order",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("order_number", sa.String(), nullable=False),
        sa.Column("order_oid", sa.String(), nullable=False),
        sa.Column("issued_locally", sa.Boolean(), nullable=False),
        sa.Column("requester", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("recipients", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_imaging_order_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imaging_order")),
        sa.UniqueConstraint("order_oid", "order_number", name=op.f("uq_imaging_order_order_oid")),
    )
    op.create_index(
        op.f("ix_imaging_order_patient_id"), "imaging_order", ["patient_id"], unique=False
    )
    op.create_table(
        "insi_call",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.String(length=8), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("ps_idnat", sa.String(), nullable=True),
        sa.Column("code", sa.String(length=2), nullable=True),
        sa.Column("fault", sa.String(), nullable=True),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("traits_digest", sa.String(length=64), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("decision_reason", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "decision IN ('none', 'pending', 'accepted', 'rejected')",
            name=op.f("ck_insi_call_decision"),
        ),
        sa.CheckConstraint("mode IN ('MANU', 'AUTO')", name=op.f("ck_insi_call_mode")),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_insi_call_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_insi_call")),
    )
    op.create_index(op.f("ix_insi_call_patient_id"), "insi_call", ["patient_id"], unique=False)
    op.create_table(
        "mss_refusal",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("professional", sa.Boolean(), nullable=False),
        sa.Column("patient", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_mss_refusal_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("patient_id", name=op.f("pk_mss_refusal")),
    )
    op.create_table(
        "situation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("profession", sa.String(length=8), nullable=False),
        sa.Column("category", sa.String(length=8), nullable=False),
        sa.Column("specialty", sa.String(length=16), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("sector", sa.String(length=8), nullable=False),
        sa.Column("struct_idnat", sa.String(length=64), nullable=False),
        sa.Column("struct_valid", sa.Boolean(), nullable=False),
        sa.Column("technical_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("address", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("phone", sa.String(length=32), nullable=False),
        sa.Column("family", sa.String(length=100), nullable=False),
        sa.Column("given", sa.String(length=100), nullable=False),
        sa.Column("title", sa.String(length=16), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_situation_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_situation")),
    )
    op.create_index(
        "uq_situation_key",
        "situation",
        ["account_id", "profession", "specialty", "place", "mode"],
        unique=True,
    )
    op.create_table(
        "exam",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("acting_struct_idnat", sa.String(), nullable=True),
        sa.Column("accession_number", sa.String(), nullable=False),
        sa.Column("accession_oid", sa.String(), nullable=False),
        sa.Column("study_uid", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("procedure", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("study", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "status IN ('SCHEDULED', 'ARRIVED', 'STARTED', 'COMPLETED', 'CANCELLED', 'NO_SHOW', 'DISCONTINUED')",
            name=op.f("ck_exam_status"),
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["imaging_order.id"], name=op.f("fk_exam_order_id_imaging_order")
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_exam_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exam")),
        sa.UniqueConstraint(
            "accession_oid", "accession_number", name=op.f("uq_exam_accession_oid")
        ),
        sa.UniqueConstraint("study_uid", name=op.f("uq_exam_study_uid")),
    )
    op.create_index(
        op.f("ix_exam_acting_struct_idnat"), "exam", ["acting_struct_idnat"], unique=False
    )
    op.create_index(op.f("ix_exam_order_id"), "exam", ["order_id"], unique=False)
    op.create_index(op.f("ix_exam_patient_id"), "exam", ["patient_id"], unique=False)
    op.create_table(
        "ris_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("situation_id", sa.Uuid(), nullable=True),
        sa.Column("needs_situation", sa.Boolean(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("acr", sa.String(), nullable=False),
        sa.Column("auth_mode", sa.String(), nullable=False),
        sa.Column("amr", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("auth_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("psc_session_state", sa.String(), nullable=True),
        sa.Column("id_token_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("ip", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "close_reason IN ('logout', 'expired', 'renewed', 'other_person', 'revoked')",
            name=op.f("ck_ris_session_close_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_ris_session_account_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["situation_id"], ["situation.id"], name=op.f("fk_ris_session_situation_id_situation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ris_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_ris_session_token_hash")),
    )
    op.create_index(op.f("ix_ris_session_account_id"), "ris_session", ["account_id"], unique=False)
    op.create_table(
        "report",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("exam_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("draft_kind", sa.String(), nullable=False),
        sa.Column("to_validate", sa.Boolean(), nullable=False),
        sa.Column("author_account_id", sa.Uuid(), nullable=False),
        sa.Column("situation_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("sections", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("visibility", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("n1_set_id", sa.String(), nullable=False),
        sa.Column("n3_set_id", sa.String(), nullable=False),
        sa.Column("current_version", sa.Integer(), nullable=False),
        sa.Column("announcement_needed", sa.Boolean(), nullable=False),
        sa.Column("announcement_done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("announcement_done_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "draft_kind IN ('INITIAL', 'CORRECTION', 'ADDENDUM', 'IDENTITY')",
            name=op.f("ck_report_draft_kind"),
        ),
        sa.CheckConstraint(
            "status IN ('DRAFT', 'PRELIMINARY', 'VALIDATED', 'REPLACED', 'CANCELLED', 'DELETED')",
            name=op.f("ck_report_status"),
        ),
        sa.ForeignKeyConstraint(
            ["announcement_done_by"],
            ["account.id"],
            name=op.f("fk_report_announcement_done_by_account"),
        ),
        sa.ForeignKeyConstraint(
            ["author_account_id"], ["account.id"], name=op.f("fk_report_author_account_id_account")
        ),
        sa.ForeignKeyConstraint(["exam_id"], ["exam.id"], name=op.f("fk_report_exam_id_exam")),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_report_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report")),
        sa.UniqueConstraint("n1_set_id", name=op.f("uq_report_n1_set_id")),
        sa.UniqueConstraint("n3_set_id", name=op.f("uq_report_n3_set_id")),
    )
    op.create_index(op.f("ix_report_created_at"), "report", ["created_at"], unique=False)
    op.create_index(op.f("ix_report_patient_id"), "report", ["patient_id"], unique=False)
    op.create_index(
        "uq_report_live_exam",
        "report",
        ["exam_id"],
        unique=True,
        postgresql_where=sa.text("status NOT IN ('CANCELLED', 'DELETED')"),
    )
    op.create_table(
        "dmp_opposition",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("report_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_by", sa.Uuid(), nullable=True),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("scope IN ('report', 'patient')", name=op.f("ck_dmp_opposition_scope")),
        sa.ForeignKeyConstraint(
            ["lifted_by"], ["account.id"], name=op.f("fk_dmp_opposition_lifted_by_account")
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_dmp_opposition_patient_id_patient")
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["account.id"], name=op.f("fk_dmp_opposition_recorded_by_account")
        ),
        sa.ForeignKeyConstraint(
            ["report_id"], ["report.id"], name=op.f("fk_dmp_opposition_report_id_report")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dmp_opposition")),
    )
    op.create_index(
        op.f("ix_dmp_opposition_patient_id"), "dmp_opposition", ["patient_id"], unique=False
    )
    op.create_index(
        "uq_dmp_opposition_live",
        "dmp_opposition",
        ["patient_id", "report_id"],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "document_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("n1", sa.LargeBinary(), nullable=False),
        sa.Column("n3", sa.LargeBinary(), nullable=False),
        sa.Column("pdf", sa.LargeBinary(), nullable=False),
        sa.Column("n1_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("n3_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("pdf_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("n1_unique_id", sa.String(), nullable=False),
        sa.Column("n3_unique_id", sa.String(), nullable=False),
        sa.Column("signed_by", sa.Uuid(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaces_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('INITIAL', 'CORRECTION', 'ADDENDUM', 'IDENTITY')",
            name=op.f("ck_document_version_kind"),
        ),
        sa.CheckConstraint(
            "status IN ('DRAFT', 'PRELIMINARY', 'VALIDATED', 'REPLACED', 'CANCELLED', 'DELETED')",
            name=op.f("ck_document_version_status"),
        ),
        sa.ForeignKeyConstraint(
            ["replaces_id"],
            ["document_version.id"],
            name=op.f("fk_document_version_replaces_id_document_version"),
        ),
        sa.ForeignKeyConstraint(
            ["report_id"], ["report.id"], name=op.f("fk_document_version_report_id_report")
        ),
        sa.ForeignKeyConstraint(
            ["signed_by"], ["account.id"], name=op.f("fk_document_version_signed_by_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document_version")),
        sa.UniqueConstraint("n1_unique_id", name=op.f("uq_document_version_n1_unique_id")),
        sa.UniqueConstraint("n3_unique_id", name=op.f("uq_document_version_n3_unique_id")),
        sa.UniqueConstraint("report_id", "number", name=op.f("uq_document_version_report_id")),
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("addressee", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("idempotency_key", sa.String(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=True),
        sa.Column("visibility", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("attempt_no", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column(
            "due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("running_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("last_error_code", sa.String(), nullable=True),
        sa.Column("remote_reference", sa.Text(), nullable=True),
        sa.Column("blocked_by", sa.Uuid(), nullable=True),
        sa.Column("replaces_id", sa.Uuid(), nullable=True),
        sa.Column("with_ins", sa.Boolean(), nullable=False),
        sa.Column("struct_idnat", sa.String(), nullable=True),
        sa.Column("ps_idnat", sa.String(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "operation IN ('submit', 'replace', 'delete', 'visibility', 'send', 'announce_deletion')",
            name=op.f("ck_delivery_operation"),
        ),
        sa.CheckConstraint(
            "state IN ('held', 'pending', 'running', 'unknown', 'delivered', 'acknowledged', 'bounced', 'failed', 'dead', 'cancelled', 'not_applicable')",
            name=op.f("ck_delivery_state"),
        ),
        sa.ForeignKeyConstraint(
            ["blocked_by"], ["delivery.id"], name=op.f("fk_delivery_blocked_by_delivery")
        ),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["document_version.id"],
            name=op.f("fk_delivery_document_id_document_version"),
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_delivery_patient_id_patient")
        ),
        sa.ForeignKeyConstraint(
            ["replaces_id"], ["delivery.id"], name=op.f("fk_delivery_replaces_id_delivery")
        ),
        sa.ForeignKeyConstraint(
            ["report_id"], ["report.id"], name=op.f("fk_delivery_report_id_report")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_delivery_idempotency_key")),
    )
    op.create_index(op.f("ix_delivery_blocked_by"), "delivery", ["blocked_by"], unique=False)
    op.create_index(op.f("ix_delivery_created_at"), "delivery", ["created_at"], unique=False)
    op.create_index(op.f("ix_delivery_document_id"), "delivery", ["document_id"], unique=False)
    op.create_index(
        "ix_delivery_due",
        "delivery",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending','running','unknown')"),
    )
    op.create_index(op.f("ix_delivery_lane"), "delivery", ["lane"], unique=False)
    op.create_index(op.f("ix_delivery_patient_id"), "delivery", ["patient_id"], unique=False)
    op.create_index(op.f("ix_delivery_report_id"), "delivery", ["report_id"], unique=False)
    op.create_index("ix_delivery_state_channel", "delivery", ["state", "channel"], unique=False)
    op.create_table(
        "document_check",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid", sa.Boolean(), nullable=False),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["document_version.id"],
            name=op.f("fk_document_check_version_id_document_version"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_document_check")),
    )
    op.create_table(
        "delivery_attempt",
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "ended_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("error_detail", sa.Text(), nullable=True),
        sa.Column("remote_reference", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('ok', 'retry', 'held', 'permanent', 'unknown', 'lost')",
            name=op.f("ck_delivery_attempt_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_delivery_attempt_delivery_id_delivery")
        ),
        sa.PrimaryKeyConstraint("delivery_id", "n", name=op.f("pk_delivery_attempt")),
    )
    op.create_table(
        "dmp_exchange",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=True),
        sa.Column("transaction", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("struct_idnat", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("error_codes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("error_text", sa.Text(), nullable=False),
        sa.Column("request_sha256", sa.String(), nullable=False),
        sa.Column("response_sha256", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_dmp_exchange_delivery_id_delivery")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dmp_exchange")),
    )
    op.create_index(
        op.f("ix_dmp_exchange_delivery_id"), "dmp_exchange", ["delivery_id"], unique=False
    )
    op.create_index(
        op.f("ix_dmp_exchange_started_at"), "dmp_exchange", ["started_at"], unique=False
    )
    op.create_table(
        "dmp_submission",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("doc_unique_id", sa.String(), nullable=False),
        sa.Column("set_unique_id", sa.String(), nullable=False),
        sa.Column("sig_unique_id", sa.String(), nullable=False),
        sa.Column("replaces_delivery_id", sa.Uuid(), nullable=True),
        sa.Column("entry_uuid", sa.String(), nullable=True),
        sa.Column("visibility", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("author", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("struct_idnat", sa.String(), nullable=False),
        sa.Column("ps_idnat", sa.String(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("level IN ('n1', 'n3')", name=op.f("ck_dmp_submission_level")),
        sa.CheckConstraint(
            "operation IN ('submit', 'replace', 'delete', 'visibility', 'send', 'announce_deletion')",
            name=op.f("ck_dmp_submission_operation"),
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_dmp_submission_delivery_id_delivery")
        ),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["document_version.id"],
            name=op.f("fk_dmp_submission_document_id_document_version"),
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_dmp_submission_patient_id_patient")
        ),
        sa.ForeignKeyConstraint(
            ["replaces_delivery_id"],
            ["delivery.id"],
            name=op.f("fk_dmp_submission_replaces_delivery_id_delivery"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dmp_submission")),
        sa.UniqueConstraint("delivery_id", name=op.f("uq_dmp_submission_delivery_id")),
        sa.UniqueConstraint("set_unique_id", name=op.f("uq_dmp_submission_set_unique_id")),
        sa.UniqueConstraint("sig_unique_id", name=op.f("uq_dmp_submission_sig_unique_id")),
    )
    op.create_index(
        op.f("ix_dmp_submission_doc_unique_id"), "dmp_submission", ["doc_unique_id"], unique=False
    )
    op.create_index(
        op.f("ix_dmp_submission_document_id"), "dmp_submission", ["document_id"], unique=False
    )
    op.create_index(
        op.f("ix_dmp_submission_patient_id"), "dmp_submission", ["patient_id"], unique=False
    )
    op.create_table(
        "mss_message",
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("ps_idnat", sa.String(), nullable=False),
        sa.Column("struct_idnat", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("envid", sa.String(), nullable=False),
        sa.Column("thread", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("recipient_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("recipient_hash", sa.String(), nullable=False),
        sa.Column("raw_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("raw_sha256", sa.String(), nullable=False),
        sa.Column("archive_sha256", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("ins_qualified", sa.Boolean(), nullable=False),
        sa.Column("codes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("smtp_reply", sa.String(), nullable=True),
        sa.Column("tls_session", sa.String(), nullable=True),
        sa.Column("dsn", sa.String(), nullable=True),
        sa.Column("dsn_cause", sa.String(), nullable=True),
        sa.Column("dsn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mdn", sa.String(), nullable=True),
        sa.Column("mdn_code", sa.Integer(), nullable=True),
        sa.Column("mdn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "purpose IN ('INITIAL', 'REPLACE', 'DELETE')", name=op.f("ck_mss_message_purpose")
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["delivery.id"],
            name=op.f("fk_mss_message_delivery_id_delivery"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_mss_message_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_mss_message")),
        sa.UniqueConstraint("envid", name=op.f("uq_mss_message_envid")),
        sa.UniqueConstraint("message_id", name=op.f("uq_mss_message_message_id")),
    )
    op.create_index(op.f("ix_mss_message_mailbox"), "mss_message", ["mailbox"], unique=False)
    op.create_index(op.f("ix_mss_message_patient_id"), "mss_message", ["patient_id"], unique=False)
    op.create_table(
        "mss_receipt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("uidvalidity", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=True),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("raw_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('DSN', 'MDN', 'INTEGRATION_ERROR', 'REPLY', 'OTHER')",
            name=op.f("ck_mss_receipt_kind"),
        ),
        sa.CheckConstraint(
            "state IN ('DELIVERED', 'DELAYED', 'BOUNCED', 'READ', 'READ_UNKNOWN', 'PROCESSED', 'PROCESSED_KO')",
            name=op.f("ck_mss_receipt_state"),
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["mss_message.delivery_id"],
            name=op.f("fk_mss_receipt_delivery_id_mss_message"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mss_receipt")),
        sa.UniqueConstraint("mailbox", "uidvalidity", "uid", name=op.f("uq_mss_receipt_mailbox")),
    )
    op.create_index(
        op.f("ix_mss_receipt_delivery_id"), "mss_receipt", ["delivery_id"], unique=False
    )
    op.execute(
        """CREATE FUNCTION delivery_attempt_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'delivery_attempt is append-only';
END $$;
CREATE TRIGGER delivery_attempt_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON delivery_attempt FOR EACH STATEMENT EXECUTE FUNCTION delivery_attempt_is_append_only();"""
    )
    op.execute(
        """CREATE FUNCTION dmp_exchange_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'dmp_exchange is append-only';
END $$;
CREATE TRIGGER dmp_exchange_is_append_only BEFORE UPDATE OR DELETE ON dmp_exchange
    FOR EACH ROW EXECUTE FUNCTION dmp_exchange_is_append_only();"""
    )
    op.execute(
        """CREATE FUNCTION document_version_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - 'status' = to_jsonb(OLD) - 'status' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'document_version is immutable';
END $$;
CREATE TRIGGER document_version_is_immutable BEFORE UPDATE OR DELETE ON document_version
    FOR EACH ROW EXECUTE FUNCTION document_version_is_immutable();"""
    )
    op.execute(
        """CREATE FUNCTION audit_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_event is append-only';
END $$;
CREATE TRIGGER audit_event_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON audit_event FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_append_only();"""
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_mss_receipt_delivery_id"), table_name="mss_receipt")
    op.drop_table("mss_receipt")
    op.drop_index(op.f("ix_mss_message_patient_id"), table_name="mss_message")
    op.drop_index(op.f("ix_mss_message_mailbox"), table_name="mss_message")
    op.drop_table("mss_message")
    op.drop_index(op.f("ix_dmp_submission_patient_id"), table_name="dmp_submission")
    op.drop_index(op.f("ix_dmp_submission_document_id"), table_name="dmp_submission")
    op.drop_index(op.f("ix_dmp_submission_doc_unique_id"), table_name="dmp_submission")
    op.drop_table("dmp_submission")
    op.drop_index(op.f("ix_dmp_exchange_started_at"), table_name="dmp_exchange")
    op.drop_index(op.f("ix_dmp_exchange_delivery_id"), table_name="dmp_exchange")
    op.drop_table("dmp_exchange")
    op.drop_table("delivery_attempt")
    op.drop_table("document_check")
    op.drop_index("ix_delivery_state_channel", table_name="delivery")
    op.drop_index(op.f("ix_delivery_report_id"), table_name="delivery")
    op.drop_index(op.f("ix_delivery_patient_id"), table_name="delivery")
    op.drop_index(op.f("ix_delivery_lane"), table_name="delivery")
    op.drop_index(
        "ix_delivery_due",
        table_name="delivery",
        postgresql_where=sa.text("state IN ('pending','running','unknown')"),
    )
    op.drop_index(op.f("ix_delivery_document_id"), table_name="delivery")
    op.drop_index(op.f("ix_delivery_created_at"), table_name="delivery")
    op.drop_index(op.f("ix_delivery_blocked_by"), table_name="delivery")
    op.drop_table("delivery")
    op.drop_table("document_version")
    op.drop_index(
        "uq_dmp_opposition_live",
        table_name="dmp_opposition",
        postgresql_where=sa.text("lifted_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    )
    op.drop_index(op.f("ix_dmp_opposition_patient_id"), table_name="dmp_opposition")
    op.drop_table("dmp_opposition")
    op.drop_index(
        "uq_report_live_exam",
        table_name="report",
        postgresql_where=sa.text("status NOT IN ('CANCELLED', 'DELETED')"),
    )
    op.drop_index(op.f("ix_report_patient_id"), table_name="report")
    op.drop_index(op.f("ix_report_created_at"), table_name="report")
    op.drop_table("report")
    op.drop_index(op.f("ix_ris_session_account_id"), table_name="ris_session")
    op.drop_table("ris_session")
    op.drop_index(op.f("ix_exam_patient_id"), table_name="exam")
    op.drop_index(op.f("ix_exam_order_id"), table_name="exam")
    op.drop_index(op.f("ix_exam_acting_struct_idnat"), table_name="exam")
    op.drop_table("exam")
    op.drop_index("uq_situation_key", table_name="situation")
    op.drop_table("situation")
    op.drop_table("mss_refusal")
    op.drop_index(op.f("ix_insi_call_patient_id"), table_name="insi_call")
    op.drop_table("insi_call")
    op.drop_index(op.f("ix_imaging_order_patient_id"), table_name="imaging_order")
    op.drop_table("imaging_order")
    op.drop_index(op.f("ix_identity_key_key"), table_name="identity_key")
    op.drop_table("identity_key")
    op.drop_index(op.f("ix_identity_history_patient_id"), table_name="identity_history")
    op.drop_table("identity_history")
    op.drop_index(op.f("ix_identity_document_patient_id"), table_name="identity_document")
    op.drop_table("identity_document")
    op.drop_index(op.f("ix_account_identifier_account_id"), table_name="account_identifier")
    op.drop_table("account_identifier")
    op.drop_table("structure")
    op.drop_index(
        "uq_patient_ins", table_name="patient", postgresql_where="ins_matricule IS NOT NULL"
    )
    op.drop_index(op.f("ix_patient_to_review"), table_name="patient")
    op.drop_index(op.f("ix_patient_birth_date"), table_name="patient")
    op.drop_table("patient")
    op.drop_table("mss_cursor")
    op.drop_table("login_attempt")
    op.drop_table("ipp_series")
    op.drop_index(op.f("ix_idempotency_created_at"), table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_table("endpoint_health")
    op.drop_index(op.f("ix_directory_entry_search_key"), table_name="directory_entry")
    op.drop_index(op.f("ix_directory_entry_rpps"), table_name="directory_entry")
    op.drop_table("directory_entry")
    op.drop_index(op.f("ix_audit_event_patient_id"), table_name="audit_event")
    op.drop_table("audit_event")
    op.drop_table("account")
    op.execute("DROP FUNCTION IF EXISTS delivery_attempt_is_append_only() CASCADE;")
    op.execute("DROP FUNCTION IF EXISTS dmp_exchange_is_append_only() CASCADE;")
    op.execute("DROP FUNCTION IF EXISTS document_version_is_immutable() CASCADE;")
    op.execute("DROP FUNCTION IF EXISTS audit_event_is_append_only() CASCADE;")
    op.execute("DROP SEQUENCE accession_number_seq")
