"""No sequence of API calls, HL7 messages and INSi answers lets a matricule out (rem.md §9.2).

The slice is the same at every run; `make fuzz` plays many more, each time others
(`RIS_FUZZ_SEQUENCES`).
"""

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import select

from ris.auth.rights import Role
from ris.core.db import Database
from ris.identity.model import Patient
from ris.rem.evidence import Evidence
from tests.identity.stateful import opened
from tests.identity.stateful.machine import Identities
from tests.identity.stateful.oracle import JUDGED_APART, Leak, Oracle
from tests.identity.stateful.planted import KNOWN
from tests.identity.stateful.world import world

SLICE, STEPS = 8, 25
SEQUENCES = int(os.environ.get("RIS_FUZZ_SEQUENCES", "0"))
SHRINK = [Phase.shrink] if os.environ.get("RIS_FUZZ_SHRINK") else []  # minutes, once it failed
LOOKED_AT = (
    "GET", "GET /v1/patients/{patient_id}", "json with INS", "hl7 with INS",
    "PDF text with INS", "datamatrix with INS", "base récupérée with INS",
    "base qualifiée with INS", "log", "bases read",
)  # fmt: skip
FROZEN = "ris.reports.freeze.ins_to_output"
OPEN_GATES = (
    (("ris.identity.schemas.ins_to_output",), "GET|POST|PATCH|PUT|DELETE"),
    (("ris.identity.insi.routes.ins_to_output",), "GET /v1/insi-calls/"),
    (("ris.interop.fhir.mapping_patient.ins_to_output",), "GET /fhir/Patient/"),
    (("ris.interop.hl7v2.emit.ins_to_output",), "HL7"),
    ((FROZEN,), "content"),
    ((FROZEN, "ris.reports.cda.header.ins_to_output", "ris.reports.cda.check.ins_to_output"),
     "PDF text|N1|datamatrix"),
)  # fmt: skip


def played(sequences: int, *, same: bool) -> settings:
    """Return how the machine runs: always the *same* sequences, or others at each run."""
    return settings(
        max_examples=sequences,
        stateful_step_count=STEPS,
        derandomize=same,
        database=None,
        deadline=None,
        phases=[Phase.generate, *SHRINK],
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.timeout(300 + 10 * SEQUENCES)
@pytest.mark.rem("RIS.INS.37")
def test_no_life_of_an_identity_lets_a_matricule_out(
    database: Database, tmp_path: Path, evidence: Evidence
) -> None:
    with world(database, tmp_path) as running:
        Identities.world, Identities.oracle = running, Oracle(running)
        run_state_machine_as_test(
            Identities, settings=played(SEQUENCES or SLICE, same=not SEQUENCES)
        )
        seen: Counter[str] = Identities.oracle.seen
    evidence.add("01", "seen.json", dict(sorted(seen.items())))
    assert not [name for name in LOOKED_AT if not seen[name]], seen


def retrieved_signed_told_and_looked_at() -> None:
    """One life that meets every gate with an INS that may not pass it: the record is récupérée."""
    life = Identities()
    life.begin(qualified=False)
    life.create(KNOWN[0], "")
    life.search_insi(0, "as it is", accepted=True, reason="vu")
    life.work()
    life.report(0)
    life.look_everywhere(0, Role.IDENTITY_OFFICER)
    life.teardown()


@pytest.mark.timeout(300)
def test_each_gate_left_open_is_noticed(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(database, tmp_path) as running:
        Identities.world, Identities.oracle = running, Oracle(running)
        retrieved_signed_told_and_looked_at()
        for gates, told in OPEN_GATES:
            with monkeypatch.context() as patch:
                for gate in gates:
                    patch.setattr(gate, lambda identity: identity.ins)
                with pytest.raises(Leak, match=told):
                    retrieved_signed_told_and_looked_at()


@pytest.mark.timeout(120)
def test_a_number_at_rest_in_clear_or_sealed_where_none_may_be_is_noticed(
    database: Database, tmp_path: Path
) -> None:
    number = KNOWN[0].number
    assert opened.columns() > JUDGED_APART
    with world(database, tmp_path) as running:
        Identities.world, Identities.oracle = running, Oracle(running)
        life = Identities()
        life.begin(qualified=True)
        life.oracle.finish()
        running.rows("update patient set phone = %(n)s returning 1", n=f"n° {number[:13]}")
        with pytest.raises(Leak, match="in clear in table patient"):
            life.oracle.finish()
        running.rows("update patient set phone = '' returning 1")
        with running.database.transaction() as session:
            session.scalars(select(Patient)).one().billing_number = number
        with pytest.raises(Leak, match="sealed in patient"):
            life.oracle.finish()
