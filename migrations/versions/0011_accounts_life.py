"""Accounts asked for, their conflicts and alerts; local credentials and the guard of their tries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_STATUS = "status IN ({}'ACTIVE', 'SUSPENDED', 'CLOSED')"
_KINDS = (
    "kind IN ('PROFESSION_CHANGED', 'BECAME_STUDENT', 'NO_ACTIVITY', 'ROLE_REFUSED', "
    "'DIRECTORY_INACTIVE', 'DIRECTORY_UNKNOWN', 'EMERGENCY_ACCESS')"
)


def upgrade() -> None:
    op.alter_column("account", "ps_idnat", nullable=True)
    op.alter_column("account", "role", nullable=True)
    op.add_column("account", sa.Column("owner_id", sa.Uuid(), nullable=True))
    op.add_column("account", sa.Column("directory_checked_at", sa.DateTime(timezone=True)))
    op.add_column("account", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.alter_column("account", "version", server_default=None)
    op.create_foreign_key(
        op.f("fk_account_owner_id_account"), "account", "account", ["owner_id"], ["id"]
    )
    op.create_index("ix_account_created_at", "account", ["created_at", "id"])
    _check_status("'PENDING', ")
    op.create_check_constraint(
        op.f("ck_account_role_given"),
        "account",
        "role IS NOT NULL OR status IN ('PENDING', 'CLOSED')",
    )
    _queues()
    _local()


def _queues() -> None:
    op.create_table(
        "account_alert",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(_KINDS, name=op.f("ck_account_alert_kind")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_alert_account_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["acknowledged_by_id"],
            ["account.id"],
            name=op.f("fk_account_alert_acknowledged_by_id_account"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_alert")),
    )
    op.create_index(op.f("ix_account_alert_account_id"), "account_alert", ["account_id"])
    op.create_index("ix_account_alert_raised_at", "account_alert", ["raised_at", "id"])
    op.create_index(
        "uq_account_alert_open",
        "account_alert",
        ["account_id", "kind"],
        unique=True,
        postgresql_where=sa.text("acknowledged_at IS NULL"),
    )
    op.create_table(
        "account_conflict",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("accounts", postgresql.JSONB(), nullable=False),
        sa.Column("told", postgresql.JSONB(), nullable=False),
        sa.Column("family", sa.String(length=100), nullable=False),
        sa.Column("given", sa.String(length=100), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by_id", sa.Uuid(), nullable=True),
        sa.Column("kept_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(
            ["kept_id"], ["account.id"], name=op.f("fk_account_conflict_kept_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["resolved_by_id"],
            ["account.id"],
            name=op.f("fk_account_conflict_resolved_by_id_account"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_conflict")),
    )
    op.create_index("ix_account_conflict_found_at", "account_conflict", ["found_at", "id"])
    op.create_index(
        "uq_account_conflict_open",
        "account_conflict",
        ["key"],
        unique=True,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )


def _local() -> None:
    op.create_table(
        "local_credential",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.String(length=32), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("password_set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("password_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("totp_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "purpose IN ('EMERGENCY', 'ADMINISTRATION')", name=op.f("ck_local_credential_purpose")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_local_credential_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_local_credential")),
        sa.UniqueConstraint("account_id", name=op.f("uq_local_credential_account_id")),
        sa.UniqueConstraint("login", name=op.f("uq_local_credential_login")),
    )
    op.create_table(
        "local_password",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("credential_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["credential_id"],
            ["local_credential.id"],
            name=op.f("fk_local_password_credential_id_local_credential"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_local_password")),
    )
    op.create_index(op.f("ix_local_password_credential_id"), "local_password", ["credential_id"])
    op.create_table(
        "local_guard",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_local_guard")),
    )
    op.create_index(op.f("ix_local_guard_last_at"), "local_guard", ["last_at"])


def downgrade() -> None:
    for table in ("local_guard", "local_password", "local_credential"):
        op.drop_table(table)
    for table in ("account_conflict", "account_alert"):
        op.drop_table(table)
    op.drop_constraint(op.f("ck_account_role_given"), "account")
    # an account is never deleted: those of the kinds that go are shut, and enter by no door
    op.execute("UPDATE account SET status = 'CLOSED' WHERE ps_idnat IS NULL OR status = 'PENDING'")
    op.execute("UPDATE account SET ps_idnat = 'LOCAL/' || id WHERE ps_idnat IS NULL")
    op.execute("UPDATE account SET role = 'REFERRER' WHERE role IS NULL")
    _check_status("")
    op.drop_index("ix_account_created_at", "account")
    op.drop_constraint(op.f("fk_account_owner_id_account"), "account")
    for name in ("version", "directory_checked_at", "owner_id"):
        op.drop_column("account", name)
    op.alter_column("account", "role", nullable=False)
    op.alter_column("account", "ps_idnat", nullable=False)


def _check_status(extra: str) -> None:
    op.drop_constraint(op.f("ck_account_status"), "account")
    op.create_check_constraint(op.f("ck_account_status"), "account", _STATUS.format(extra))
