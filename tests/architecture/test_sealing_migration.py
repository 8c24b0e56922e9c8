"""Migration 0006 on a base that lived: refused without a key ring, then nothing left in clear."""

import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from alembic import command
from sqlalchemy import select

from ris.core import schema
from ris.core.crypto import Keyring, Sealer
from ris.core.db import Database
from ris.core.errors import NotConfigured
from ris.identity.foreign.model import ForeignIdentity
from ris.identity.model import InsiCall, Patient
from ris.interop.hl7v2.model import Hl7Message
from ris.reports.model import DocumentVersion
from ris.web.model import IdempotencyRecord
from tests.architecture.test_migrations import described

SEALER = Sealer(Keyring("k1", {"k1": bytes(range(32))}))
FORMER = "0004"
SEALING = "0006"
OID = "1.2.250.1.213.1.4.10"
PATIENTS = 1203  # more than two batches
ANSWER = {"label": "é", "matricule": "297022A02077878", "history": [{"oid": OID}]}
MESSAGE = UUID("00000000-0000-7000-8000-000000000001")


def matricule(number: int) -> str:
    return f"29702{number:010}"


FILL = """
set session_replication_role = replica;
insert into patient (id, ipp, ipp_oid, birth_family, birth_given_names, first_birth_given,
    birth_date, sex, birth_place, used_family, used_given, status, attributes, ins_matricule,
    ins_oid, billing_number, address, phone, to_review, created_at, updated_at, version)
  select gen_random_uuid(), 'P' || n, '2.25.1', 'PAT-UN', 'A', 'A', '1997-02-01', 'F', '99999', '',
    '', case when n % 2 = 0 then 'qualifiée' else 'provisoire' end, '[]',
    case when n % 2 = 0 then '29702' || lpad(n::text, 10, '0') end,
    case when n % 2 = 0 then '1.2.250.1.213.1.4.10' end,
    case when n % 3 = 0 then '19702' || lpad(n::text, 10, '0') end,
    '{}', '', false, now(), '2026-01-01T00:00Z', 3 from generate_series(1, 1203) n;
insert into foreign_identity (id, patient_id, created_patient, sender, message_id, traits,
    ins_digest, state, attempt_no, received_at, due_at, error)
  values (gen_random_uuid(), gen_random_uuid(), true, 'S', 'M', '{}', repeat('a', 64), 'pending',
    0, now(), now(), '');
insert into idempotency (actor, key, method_path, body_sha256, status, headers, body, created_at)
  values ('someone', 'k', 'POST /', 'digest', 201, '{}', 'the answer', now());
insert into document_version (id, report_id, number, kind, status, content, n1, n3, pdf, n1_sha256,
    n3_sha256, pdf_sha256, n1_unique_id, n3_unique_id, signed_by, signed_at, created_at)
  values (gen_random_uuid(), gen_random_uuid(), 1, 'INITIAL', 'VALIDATED', '{"title": "é"}', 'n1',
    'n3', 'pdf', '', '', '', '1', '2', gen_random_uuid(), now(), now());
"""


@pytest.fixture
def lived(new_database: Callable[[], str]) -> str:
    """A base at 0004 with rows in every table that the migration converts."""
    url = new_database()
    command.upgrade(schema.configuration(url), FORMER)
    sealed = SEALER.seal(b"MSH", f"ris.hl7_message.v1|{MESSAGE}".encode())
    with psycopg.connect(url) as connection:
        connection.execute(FILL.encode())
        connection.execute(
            "insert into insi_call (id, patient_id, operation, mode, message_id, at, duration_ms,"
            " answer, traits_digest, decision, decision_reason) values (gen_random_uuid(),"
            " gen_random_uuid(), 'traits', 'MANU', 'm', now(), 1, %s, '', 'none', '')",
            [json.dumps(ANSWER)],
        )
        connection.execute(
            "insert into hl7_message (id, sender_application, sender_facility, control_id, kind,"
            " digest, sealed, state, ack_code, ack, error, outcome, received_at)"
            " values (%s, 'A', 'F', 'C', 'K', 'clear', %s, 'applied', '', '', '', '{}', now())",
            [MESSAGE, sealed],
        )
    return url


def upgrade(url: str, sealer: Callable[[], Sealer] | None, *, to: str = SEALING) -> None:
    command.upgrade(schema.configuration(url, sealer=sealer), to)


def absent() -> Sealer:
    raise NotConfigured("Trousseau de clés introuvable.")


@pytest.mark.parametrize("sealer", [None, absent])
def test_without_a_key_ring_a_base_that_lived_is_left_as_it_is(
    lived: str, sealer: Callable[[], Sealer] | None
) -> None:
    before = described(lived)
    with pytest.raises(NotConfigured, match="rousseau de clés"):
        upgrade(lived, sealer)
    assert described(lived) == before
    with psycopg.connect(lived) as connection:
        (held,) = connection.execute("select count(ins_matricule) from patient").fetchone() or (0,)
    assert held == PATIENTS // 2


def test_every_row_is_sealed_searched_and_read_as_before(lived: str) -> None:
    """Read by the models, which are those of the last migration."""
    upgrade(lived, lambda: SEALER)
    upgrade(lived, None, to="head")
    database = Database(lived, pool_size=2, sealer=SEALER)
    with database.transaction() as session:
        rows = {row.ipp: row for row in session.scalars(select(Patient))}
        assert len(rows) == PATIENTS
        for number in (1, 2, 3, 500, 501, 1000, 1002, 1203):
            row = rows[f"P{number}"]
            assert row.ins_matricule == (matricule(number) if number % 2 == 0 else None)
            billed = f"19702{number:010}" if number % 3 == 0 else None
            assert row.billing_number == billed
            assert (row.version, row.updated_at.year, row.updated_at.month) == (3, 2026, 1)
        found = session.scalars(select(Patient.ipp).where(Patient.ins_matricule == matricule(1002)))
        assert found.all() == ["P1002"]
        assert session.scalars(select(InsiCall)).one().answer == ANSWER
        assert session.scalars(select(ForeignIdentity)).one().ins_digest == "a" * 64
        kept = session.scalars(select(IdempotencyRecord)).one()
        assert (kept.body, kept.body_sha256) == (b"the answer", b"digest")
        version = session.scalars(select(DocumentVersion)).one()
        assert version.content == {"title": "é"}
        assert (version.n1, version.n3, version.pdf) == (b"n1", b"n3", b"pdf")
        heard = session.scalars(select(Hl7Message)).one()
        assert heard.digest == SEALER.digest(b"MSH", b"hl7_message").hex()
    database.close()


def test_nothing_of_the_former_columns_stays_in_the_data_files(lived: str) -> None:
    assert shown(lived, b"2970200000") == shown(lived, b"1970200000") == {"patient"}
    upgrade(lived, lambda: SEALER)
    assert shown(lived, b"2970200000") | shown(lived, b"1970200000") == set()
    assert shown(lived, b"297022A02077878") == set()
    assert "patient" in shown(lived, b"PAT-UN")


def shown(url: str, wanted: bytes) -> set[str]:
    """The tables whose file holds *wanted*, in a live row or in what is left of a dead one."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("checkpoint")
        home = Path((connection.execute("show data_directory").fetchone() or ("",))[0])
        tables = connection.execute(
            "select relname, pg_relation_filepath(oid) from pg_class where relkind = 'r'"
            " and relnamespace = 'public'::regnamespace"
        ).fetchall()
    try:
        return {name for name, path in tables if wanted in (home / path).read_bytes()}
    except OSError:
        pytest.skip("the data files of this server cannot be read from here")


def test_back_and_forth_gives_every_value_back(lived: str) -> None:
    before = described(lived)
    upgrade(lived, lambda: SEALER)
    with pytest.raises(NotConfigured):
        command.downgrade(schema.configuration(lived), FORMER)
    command.downgrade(schema.configuration(lived, sealer=lambda: SEALER), FORMER)
    assert described(lived) == before
    with psycopg.connect(lived) as connection:
        rows = connection.execute(
            "select ins_matricule, billing_number from patient where ipp in ('P6', 'P7')"
            " order by ipp"
        ).fetchall()
        assert rows == [(matricule(6), f"19702{6:010}"), (None, None)]
        assert connection.execute("select answer from insi_call").fetchone() == (ANSWER,)
        assert connection.execute("select body, body_sha256 from idempotency").fetchone() == (
            b"the answer", b"digest",
        )  # fmt: skip
        assert connection.execute("select content, n1 from document_version").fetchone() == (
            {"title": "é"}, b"n1",
        )  # fmt: skip
