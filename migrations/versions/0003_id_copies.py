"""Copies of identity documents, the signed records of their erasure."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "id_copy",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("informed", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("ps_idnat", sa.String(), nullable=True),
        sa.Column("kek_id", sa.String(length=32), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "media_type IN ('image/jpeg', 'image/png', 'application/pdf')",
            name=op.f("ck_id_copy_media_type"),
        ),
        sa.CheckConstraint(
            "informed IN ('oral', 'notice', 'form')", name=op.f("ck_id_copy_informed")
        ),
        sa.CheckConstraint("octet_length(wrapped_key) = 40", name=op.f("ck_id_copy_wrapped_key")),
        sa.CheckConstraint("octet_length(nonce) = 12", name=op.f("ck_id_copy_nonce")),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_id_copy_patient_id_patient")
        ),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["identity_document.id"],
            name=op.f("fk_id_copy_document_id_identity_document"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_id_copy")),
    )
    op.create_index(op.f("ix_id_copy_patient_id"), "id_copy", ["patient_id"])
    op.create_index(op.f("ix_id_copy_document_id"), "id_copy", ["document_id"])
    op.create_index(op.f("ix_id_copy_kek_id"), "id_copy", ["kek_id"])
    op.create_table(
        "id_copy_purge_key",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_private_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_id_copy_purge_key")),
    )
    op.create_index(op.f("ix_id_copy_purge_key_created_at"), "id_copy_purge_key", ["created_at"])
    op.create_table(
        "id_copy_purge",
        sa.Column("copy_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("document_type", sa.String(length=8), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_activity_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('retention', 'request', 'merge')", name=op.f("ck_id_copy_purge_reason")
        ),
        sa.ForeignKeyConstraint(
            ["key_id"],
            ["id_copy_purge_key.id"],
            name=op.f("fk_id_copy_purge_key_id_id_copy_purge_key"),
        ),
        sa.PrimaryKeyConstraint("copy_id", name=op.f("pk_id_copy_purge")),
    )
    op.create_index(op.f("ix_id_copy_purge_patient_id"), "id_copy_purge", ["patient_id"])
    op.execute(
        """CREATE FUNCTION id_copy_purge_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'id_copy_purge is append-only';
END $$;
CREATE TRIGGER id_copy_purge_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON id_copy_purge FOR EACH STATEMENT EXECUTE FUNCTION id_copy_purge_is_append_only();"""
    )


def downgrade() -> None:
    op.drop_table("id_copy_purge")
    op.drop_table("id_copy_purge_key")
    op.drop_table("id_copy")
    op.execute("DROP FUNCTION IF EXISTS id_copy_purge_is_append_only() CASCADE;")
