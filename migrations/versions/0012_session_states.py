"""A session may be locked, knows its workstation, and has more reasons to end."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_FORMER = ("logout", "expired", "renewed", "other_person", "revoked", "psc_logout")
_REASONS = (
    "logout", "expired", "locked_too_long", "renewed", "other_person", "same_workstation",
    "limit", "elsewhere", "revoked", "psc_logout",
)  # fmt: skip
_TABLES = ("ris_session", "login_attempt", "ciba_request")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("workstation", sa.String(length=64)))
    op.add_column("ris_session", sa.Column("locked_at", sa.DateTime(timezone=True)))
    _check_reasons(_REASONS)


def downgrade() -> None:
    op.execute(
        "UPDATE ris_session SET close_reason = 'revoked' WHERE close_reason IN "
        "('locked_too_long', 'same_workstation', 'limit', 'elsewhere')"
    )
    _check_reasons(_FORMER)
    op.drop_column("ris_session", "locked_at")
    for table in _TABLES:
        op.drop_column(table, "workstation")


def _check_reasons(reasons) -> None:
    listed = ", ".join(f"'{reason}'" for reason in reasons)
    op.drop_constraint(op.f("ck_ris_session_close_reason"), "ris_session")
    op.create_check_constraint(
        op.f("ck_ris_session_close_reason"), "ris_session", f"close_reason IN ({listed})"
    )
