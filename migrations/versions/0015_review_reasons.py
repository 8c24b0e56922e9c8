"""Why an identity waits for a person; instants of feeds that no message may bear any more."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# One sender's clock ahead, or a year that no calendar has, outdated all later news of a patient.
_FENCES = """
UPDATE feed_identifier SET last_event_at = NULL
WHERE last_event_at NOT BETWEEN timestamptz '1900-01-01 00:00+00' AND now()
"""
_REASONS = """
UPDATE patient SET review = found.review
FROM (
    SELECT patient_id, jsonb_object_agg(reason, to_jsonb(since)) AS review
    FROM (
        SELECT patient_id, reason, min(since) AS since FROM (
            SELECT h.patient_id, max(h.at) AS since, CASE h.event
                WHEN 'insi_denied' THEN 'verification_ko'
                WHEN 'foreign_denied' THEN 'foreign_ko'
                WHEN 'foreign_confirmed' THEN 'foreign_ins'
                ELSE 'separated' END AS reason
            FROM identity_history h JOIN patient p ON p.id = h.patient_id
            WHERE h.worklist AND p.to_review AND NOT EXISTS (
                SELECT 1 FROM identity_history later
                WHERE later.patient_id = h.patient_id AND later.at > h.at
                    AND later.event IN ('document_validated', 'insi_accepted', 'merged'))
            GROUP BY h.patient_id, h.event
            UNION ALL
            SELECT h.patient_id, h.at, 'degraded'
            FROM identity_history h JOIN patient p ON p.id = h.patient_id
            WHERE h.evidence ->> 'mode' = 'degraded' AND p.to_review
            UNION ALL
            SELECT f.patient_id, coalesce(f.settled_at, f.received_at), 'foreign_ko'
            FROM foreign_identity f JOIN patient p ON p.id = f.patient_id
            WHERE f.created_patient AND f.state = 'ko' AND p.to_review
            UNION ALL
            SELECT patient_id, declared_at, 'collision'
            FROM identity_collision WHERE state = 'COLP'
            UNION ALL
            SELECT id, updated_at, 'doubtful'
            FROM patient WHERE attributes @> '["douteuse"]' AND merged_into_id IS NULL
        ) AS told GROUP BY patient_id, reason
    ) AS one GROUP BY patient_id
) AS found
WHERE patient.id = found.patient_id
"""
_OTHERS = """
UPDATE patient SET review = jsonb_build_object('earlier', to_jsonb(updated_at))
WHERE to_review AND review = '{}'
"""


def upgrade() -> None:
    op.execute(_FENCES)
    op.add_column(
        "patient",
        sa.Column("review", postgresql.JSONB(), nullable=False, server_default=sa.text("'{}'")),
    )
    op.execute(_REASONS)
    op.execute(_OTHERS)
    op.drop_index(op.f("ix_patient_to_review"), "patient")
    op.drop_column("patient", "to_review")
    op.create_index(
        "ix_patient_review",
        "patient",
        ["updated_at", "id"],
        postgresql_where=sa.text("review <> '{}'"),
    )


def downgrade() -> None:
    op.add_column(
        "patient",
        sa.Column("to_review", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.execute("UPDATE patient SET to_review = true WHERE review - 'doubtful' <> '{}'")
    op.alter_column("patient", "to_review", server_default=None)
    op.create_index(op.f("ix_patient_to_review"), "patient", ["to_review"])
    op.drop_index("ix_patient_review", "patient")
    op.drop_column("patient", "review")
