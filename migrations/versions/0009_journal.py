"""What the journal tells has an end: a line past its keeping time is emptied, its link stays."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_BEFORE = """CREATE OR REPLACE FUNCTION audit_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_event is append-only';
END $$;
CREATE TRIGGER audit_event_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON audit_event FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_append_only();
"""
_AFTER = """CREATE OR REPLACE FUNCTION audit_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_event is append-only';
END $$;
CREATE OR REPLACE FUNCTION audit_event_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.erased_at IS NOT NULL OR NEW.erased_at IS NULL
        OR OLD.at > NEW.erased_at - interval '180 days' OR NEW.erased_at > now()
        OR ROW(NEW.seq, NEW.at, NEW.action, NEW.outcome, NEW.prev_hash, NEW.hash)
            IS DISTINCT FROM ROW(OLD.seq, OLD.at, OLD.action, OLD.outcome, OLD.prev_hash, OLD.hash)
        OR NEW.detail <> '{}' OR jsonb_strip_nulls(to_jsonb(NEW) - ARRAY['seq', 'at', 'action',
            'outcome', 'detail', 'prev_hash', 'hash', 'erased_at']) <> '{}'
    THEN
        RAISE EXCEPTION 'audit_event is append-only';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS audit_event_is_append_only ON audit_event;
CREATE TRIGGER audit_event_is_append_only BEFORE DELETE OR TRUNCATE
    ON audit_event FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_append_only();
CREATE TRIGGER audit_event_erasure BEFORE UPDATE
    ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_event_erasure();
"""


def upgrade() -> None:
    op.add_column("audit_event", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(_AFTER)


def downgrade() -> None:
    op.execute("DROP FUNCTION audit_event_erasure() CASCADE;")
    op.execute("DROP TRIGGER audit_event_is_append_only ON audit_event;")
    op.execute(_BEFORE)
    op.drop_column("audit_event", "erased_at")
