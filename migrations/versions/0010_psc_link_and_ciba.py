"""PSC tokens of a session (sealed), decoupled sign-in, native hand-over, back-channel logout."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_REASONS = "close_reason IN ('logout', 'expired', 'renewed', 'other_person', 'revoked'{})"


def upgrade() -> None:
    op.add_column("login_attempt", sa.Column("native_challenge", sa.String(length=43)))
    for column in (
        sa.Column("psc_sid", sa.String(length=128)),
        sa.Column("psc_sub", sa.String()),
        sa.Column("psc_tokens_sealed", sa.LargeBinary()),
        sa.Column("psc_access_expires_at", sa.DateTime(timezone=True)),
        sa.Column("psc_refresh_lease", sa.DateTime(timezone=True)),
        sa.Column("psc_ended_at", sa.DateTime(timezone=True)),
        sa.Column("native_challenge", sa.String(length=43)),
    ):
        op.add_column("ris_session", column)
    op.create_index(op.f("ix_ris_session_psc_sid"), "ris_session", ["psc_sid"])
    op.create_index(op.f("ix_ris_session_psc_sub"), "ris_session", ["psc_sub"])
    # sessions opened before hold no PSC token: their link is over
    op.execute("UPDATE ris_session SET psc_ended_at = now()")
    _check_reasons(", 'psc_logout'")
    op.create_table(
        "ciba_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("ps_idnat", sa.String(length=64), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("binding_message", sa.String(length=2), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("auth_req_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("interval_s", sa.Integer(), nullable=False),
        sa.Column("next_poll_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("origin_ip", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("channel IN ('MOBILE', 'CARD')", name=op.f("ck_ciba_request_channel")),
        sa.CheckConstraint(
            "state IN ('CREATED', 'PENDING', 'APPROVED', 'SESSION_OPEN', 'DENIED', 'EXPIRED', "
            "'FAILED')",
            name=op.f("ck_ciba_request_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ciba_request")),
    )
    op.create_index(op.f("ix_ciba_request_ps_idnat"), "ciba_request", ["ps_idnat"])
    op.create_index(op.f("ix_ciba_request_origin_ip"), "ciba_request", ["origin_ip"])
    op.create_table(
        "psc_logout_seen",
        sa.Column("jti_hash", sa.LargeBinary(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("jti_hash", name=op.f("pk_psc_logout_seen")),
    )


def downgrade() -> None:
    op.drop_table("psc_logout_seen")
    op.drop_table("ciba_request")
    op.execute("UPDATE ris_session SET close_reason = 'revoked' WHERE close_reason = 'psc_logout'")
    _check_reasons("")
    op.drop_index(op.f("ix_ris_session_psc_sub"), "ris_session")
    op.drop_index(op.f("ix_ris_session_psc_sid"), "ris_session")
    for name in (
        "native_challenge", "psc_ended_at", "psc_refresh_lease", "psc_access_expires_at",
        "psc_tokens_sealed", "psc_sub", "psc_sid",
    ):  # fmt: skip
        op.drop_column("ris_session", name)
    op.drop_column("login_attempt", "native_challenge")


def _check_reasons(extra: str) -> None:
    op.drop_constraint(op.f("ck_ris_session_close_reason"), "ris_session")
    op.create_check_constraint(
        op.f("ck_ris_session_close_reason"), "ris_session", _REASONS.format(extra)
    )
