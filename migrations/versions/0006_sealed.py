"""Everything that can hold a matricule is sealed; a keyed digest serves search and uniqueness.

Rows are converted here, so a database that holds some needs its key ring. The tables are then
written anew: nothing of the former columns stays in the data files.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

from ris.core.crypto import Sealer
from ris.core.errors import NotConfigured

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BATCH = 500
Columns = dict[
    str, tuple[str, Any, bool]
]  # {former column: (sealed column, former type, nullable)}
Change = Callable[[Sealer, sa.RowMapping, str], dict[str, Any]]
JSON = postgresql.JSONB(astext_type=sa.Text())
# table, primary key, columns
SEALED: tuple[tuple[str, tuple[str, ...], Columns], ...] = (
    ("patient", ("id",), {
        "ins_matricule": ("ins_sealed", sa.String(15), True),
        "billing_number": ("billing_sealed", sa.String(15), True),
    }),
    ("insi_call", ("id",), {"answer": ("answer_sealed", JSON, False)}),
    ("foreign_identity", ("id",), {"ins_digest": ("ins_digest_sealed", sa.String(64), False)}),
    ("idempotency", ("actor", "key"), {
        "body": ("body_sealed", sa.LargeBinary(), False),
        "body_sha256": ("body_sha256_sealed", sa.LargeBinary(), False),
    }),
    ("document_version", ("id",), {
        "content": ("content_sealed", JSON, False),
        "n1": ("n1_sealed", sa.LargeBinary(), False),
        "n3": ("n3_sealed", sa.LargeBinary(), False),
        "pdf": ("pdf_sealed", sa.LargeBinary(), False),
    }),
)  # fmt: skip
STATUSES = "status IN ('récupérée', 'qualifiée')"
FORMER_GUARD = """
CREATE FUNCTION document_version_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - 'status' = to_jsonb(OLD) - 'status' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'document_version is immutable';
END $$;
CREATE TRIGGER document_version_is_immutable BEFORE UPDATE OR DELETE ON document_version
    FOR EACH ROW EXECUTE FUNCTION document_version_is_immutable();
"""
GUARD = """
CREATE FUNCTION sealed_part(sealed bytea) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT substring(sealed FROM 7 + get_byte(sealed, 4) + get_byte(sealed, 5))
$$;
CREATE FUNCTION document_version_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
        AND to_jsonb(NEW) - '{status,content_sealed,n1_sealed,n3_sealed,pdf_sealed}'::text[]
          = to_jsonb(OLD) - '{status,content_sealed,n1_sealed,n3_sealed,pdf_sealed}'::text[]
        AND sealed_part(NEW.content_sealed) = sealed_part(OLD.content_sealed)
        AND sealed_part(NEW.n1_sealed) = sealed_part(OLD.n1_sealed)
        AND sealed_part(NEW.n3_sealed) = sealed_part(OLD.n3_sealed)
        AND sealed_part(NEW.pdf_sealed) = sealed_part(OLD.pdf_sealed)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'document_version is immutable';
END $$;
CREATE TRIGGER document_version_is_immutable BEFORE UPDATE OR DELETE ON document_version
    FOR EACH ROW EXECUTE FUNCTION document_version_is_immutable();
"""


def upgrade() -> None:
    op.execute("DROP FUNCTION document_version_is_immutable() CASCADE")
    for name in ("ck_patient_ins_by_status", "ck_patient_ins_whole"):
        op.drop_constraint(name, "patient")
    op.drop_index("uq_patient_ins", "patient")
    op.add_column("patient", sa.Column("ins_digest", sa.LargeBinary()))
    for table, key, columns in SEALED:
        for new, _, _ in columns.values():
            op.add_column(table, sa.Column(new, sa.LargeBinary()))
        convert(table, key, list(columns), sealing(table, columns))
        for former, (new, _, nullable) in columns.items():
            op.drop_column(table, former)
            op.alter_column(table, new, nullable=nullable)
    convert("hl7_message", ("id",), ["sealed"], keyed)
    op.execute("UPDATE mss_message SET recipient_hash = '' WHERE channel = 'mss_patient'")
    for table, column in [(table, next(iter(c.values()))[0]) for table, _, c in SEALED] + [
        ("hl7_message", "sealed"), ("mss_message", "raw_sealed"),
    ]:  # fmt: skip
        forget(table, column)
    constrain("ins_sealed", "num_nulls(ins_sealed, ins_digest, ins_oid) IN (0, 3)", "ins_digest")
    op.execute(GUARD)


def downgrade() -> None:
    op.execute("DROP FUNCTION document_version_is_immutable() CASCADE")
    op.execute("DROP FUNCTION sealed_part(bytea)")
    for name in ("ck_patient_ins_by_status", "ck_patient_ins_whole"):
        op.drop_constraint(name, "patient")
    op.drop_index("uq_patient_ins", "patient")
    op.drop_column("patient", "ins_digest")
    for table, key, columns in SEALED:
        for former, (_, kind, _) in columns.items():
            op.add_column(table, sa.Column(former, kind))
        convert(table, key, [new for new, _, _ in columns.values()], opening(table, columns))
        for former, (new, _, nullable) in columns.items():
            op.drop_column(table, new)
            op.alter_column(table, former, nullable=nullable)
    convert("hl7_message", ("id",), ["sealed"], plain)
    constrain("ins_matricule", "(ins_matricule IS NULL) = (ins_oid IS NULL)", "ins_matricule")
    op.execute(FORMER_GUARD)


def constrain(held: str, whole: str, searched: str) -> None:
    """Put back what the database itself refuses, on the columns there now are."""
    op.create_check_constraint(
        op.f("ck_patient_ins_by_status"), "patient", f"{held} IS NULL OR {STATUSES}"
    )
    op.create_check_constraint(op.f("ck_patient_ins_whole"), "patient", whole)
    op.create_index(
        "uq_patient_ins", "patient", [searched, "ins_oid"], unique=True,
        postgresql_where=sa.text(f"{searched} IS NOT NULL"),
    )  # fmt: skip


def convert(table: str, key: tuple[str, ...], columns: list[str], change: Change) -> None:
    """Write what *change* returns for every row of *table* that holds one of *columns*."""
    bind = op.get_bind()
    place = " AND ".join(f"{name} = :key_{name}" for name in key)
    for batch in batches(bind, table, key, columns):
        sealer = key_ring()
        rows = []
        for row in batch:
            owner = "|".join(str(row[name]) for name in key)
            keys = {f"key_{name}": row[name] for name in key}
            rows.append(keys | change(sealer, row, owner))
        names = [name for name in rows[0] if not name.startswith("key_")]
        assign = ", ".join(f"{name} = :{name}" for name in names)
        bind.execute(sa.text(f"UPDATE {table} SET {assign} WHERE {place}"), rows)  # noqa: S608


def batches(
    bind: sa.Connection, table: str, key: tuple[str, ...], columns: list[str]
) -> Iterator[list[sa.RowMapping]]:
    """Give the rows by key, *BATCH* at a time: an old base may be larger than the memory."""
    listed, order = ", ".join([*key, *columns]), ", ".join(key)
    held = " OR ".join(f"{name} IS NOT NULL" for name in columns)
    after: tuple[Any, ...] | None = None
    while True:
        further = f"AND ({order}) > ({', '.join(f':after_{name}' for name in key)})"
        query = f"SELECT {listed} FROM {table} WHERE ({held}) {further if after else ''}"  # noqa: S608
        values = dict(zip([f"after_{name}" for name in key], after or (), strict=False))
        found = bind.execute(sa.text(f"{query} ORDER BY {order} LIMIT {BATCH}"), values)
        rows = list(found.mappings())
        if not rows:
            return
        yield rows
        after = tuple(rows[-1][name] for name in key)


def sealing(table: str, columns: Columns) -> Change:
    def change(sealer: Sealer, row: sa.RowMapping, owner: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for former, (new, kind, _) in columns.items():
            value = json.dumps(row[former]) if kind is JSON else row[former]
            data = value.encode() if isinstance(value, str) else value
            place = f"ris.{table}.{new}.v1|{owner}".encode()
            values[new] = None if data is None else sealer.seal(data, place)
            if former == "ins_matricule":
                values["ins_digest"] = None if data is None else sealer.digest(data, b"ins")
        return values

    return change


def opening(table: str, columns: Columns) -> Change:
    def change(sealer: Sealer, row: sa.RowMapping, owner: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for former, (new, kind, _) in columns.items():
            place = f"ris.{table}.{new}.v1|{owner}".encode()
            data = None if row[new] is None else sealer.open(row[new], place)
            text = data is not None and not isinstance(kind, sa.LargeBinary)
            values[former] = data.decode() if data is not None and text else data
        return values

    return change


def keyed(sealer: Sealer, row: sa.RowMapping, owner: str) -> dict[str, Any]:
    message = sealer.open(row["sealed"], f"ris.hl7_message.v1|{owner}".encode())
    return {"digest": sealer.digest(message, b"hl7_message").hex()}


def plain(sealer: Sealer, row: sa.RowMapping, owner: str) -> dict[str, Any]:
    message = sealer.open(row["sealed"], f"ris.hl7_message.v1|{owner}".encode())
    return {"digest": hashlib.sha256(message).hexdigest()}


def forget(table: str, column: str) -> None:
    """Have *table* written anew: dropped columns and former rows leave the data file."""
    op.execute(f"ALTER TABLE {table} ALTER {column} TYPE bytea USING {column} || ''::bytea")


def key_ring() -> Sealer:
    """Return the site's sealer; refuse to go on without a key ring while rows hold a matricule."""
    sealer = context.config.attributes.get("sealer")
    if sealer is None:
        raise NotConfigured(
            "Cette base contient des identités en clair : la mise à niveau les chiffre et demande"
            " le trousseau de clés (RIS_KEYRING, ris keys generate)."
        )
    made: Sealer = sealer()
    return made
