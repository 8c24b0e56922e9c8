"""What leaves towards the attached systems, in what order, and who received the INS."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import text

from ris.auth.rights import Permission, Role
from ris.core.db import Database
from ris.core.errors import Permanent, RemoteError, Transient
from ris.identity.feature import IdentityFeature
from ris.identity.propagation.queue import Outbound
from ris.identity.propagation.run import Propagator
from ris.identity.rules import ins_to_output
from ris.rem.evidence import Evidence
from tests.identity.conftest import Desk
from tests.identity.test_routes import BY_STATUS, attribute, create, edit, qualified, show

PARTNERS = ("DPI", "GAM")


@dataclass
class Wire:
    """A partner of these tests: keeps what it accepts, fails as told."""

    accepted: list[tuple[str, Outbound]] = field(default_factory=list)
    failures: list[RemoteError] = field(default_factory=list)

    def __call__(self, partner: str, message: Outbound) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.accepted.append((partner, message))

    def kinds(self, partner: str = "DPI") -> list[str]:
        return [message.kind.value for name, message in self.accepted if name == partner]


@pytest.fixture
def attached(feature: IdentityFeature) -> IdentityFeature:
    return replace(feature, partners=PARTNERS)


def emptied(database: Database, wire: Wire) -> int:
    return Propagator(database, wire, sender="2.25.1").run()


def now_due(database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("update identity_outbox set due_at = now() where state = 'pending'"))


def outgoing(api: Any, patient: dict[str, Any]) -> dict[str, Any]:
    return {"items": api.get(f"/patients/{patient['id']}/propagation").json()}


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(
            "récupérée",
            marks=[
                pytest.mark.rem("RIS.INS.34", scenario="INS/va1.60.01"),
                pytest.mark.rem("RIS.INS.36", scenario="INS/va1.60.01"),
            ],
        ),
        pytest.param(
            "qualifiée",
            marks=[
                pytest.mark.rem("RIS.INS.34", scenario="INS/va1.60.03"),
                pytest.mark.rem("RIS.INS.36", scenario="INS/va1.60.03"),
            ],
        ),
    ],
)
def test_a_strict_trait_changed_reaches_every_attached_system(
    desk: Desk,
    database: Database,
    attached: IdentityFeature,
    evidence: Evidence,
    status: str,
) -> None:
    landing = {"récupérée": "provisoire", "qualifiée": "validée"}[status]
    api = desk(feature=attached)
    patient = BY_STATUS[status](api)
    wire = Wire()
    emptied(database, wire)
    wire.accepted.clear()
    answer = edit(api, patient, birth_family="AUTRE", reason="acte de naissance")
    assert answer.json()["status"] == landing
    emptied(database, wire)
    expected = ["A47", "A31"] if status == "qualifiée" else ["A31"]
    for partner in PARTNERS:
        assert wire.kinds(partner) == expected
    last = wire.accepted[-1][1].identity
    assert (last.traits.birth_family, last.status.value, last.ins) == ("AUTRE", landing, None)
    evidence.add("01", "outgoing.json", outgoing(api, patient))


@pytest.mark.rem("RIS.INS.34", scenario="INS/va1.60.04")
def test_a_used_name_changed_is_propagated_too(
    desk: Desk, database: Database, attached: IdentityFeature, evidence: Evidence
) -> None:
    api = desk(feature=attached)
    patient = qualified(api)
    wire = Wire()
    emptied(database, wire)
    wire.accepted.clear()
    edit(api, patient, used_family="MARTIN")
    emptied(database, wire)
    assert wire.kinds() == ["A31"]
    told = wire.accepted[0][1].identity
    assert (told.traits.used_family, ins_to_output(told) is not None) == ("MARTIN", True)
    evidence.add("01", "outgoing.json", outgoing(api, patient))


def test_a_message_sent_late_says_what_is_true_now_and_never_a_withdrawn_ins(
    desk: Desk, database: Database, attached: IdentityFeature
) -> None:
    api = desk(feature=attached)
    patient = qualified(api)
    attribute(api, patient, "douteuse")
    wire = Wire()
    emptied(database, wire)
    assert wire.kinds() == ["A28", "A31", "A31", "A47", "A31"]
    assert all(message.identity.ins is None for _, message in wire.accepted)
    withdrawal = next(message for _, message in wire.accepted if message.kind == "A47")
    assert withdrawal.withdrawn_oid == "1.2.250.1.213.1.4.10"
    assert api.get(f"/patients/{patient['id']}/ins-disclosures").json()["items"] == []


@pytest.mark.rem("RIS.INS.51", scenario="INS/va1.46.01")
def test_the_partners_that_received_the_ins_are_listed(
    desk: Desk, database: Database, attached: IdentityFeature, evidence: Evidence
) -> None:
    api = desk(feature=attached)
    patient = create(api)
    wire = Wire()
    emptied(database, wire)
    assert api.get(f"/patients/{patient['id']}/ins-disclosures").json()["items"] == []
    patient = qualified(api, birth_family="PAT-TROIS")
    emptied(database, wire)
    told = api.get(f"/patients/{patient['id']}/ins-disclosures").json()["items"]
    assert {(row["sender"], row["partner"], row["channel"]) for row in told} == {
        ("2.25.1", partner, "hl7_pam") for partner in PARTNERS
    }
    assert all(row["at"] and row["reference"] for row in told)
    blind = desk(Role.SECRETARY, less=frozenset({Permission.INS_READ}))
    assert blind.get(f"/patients/{patient['id']}/ins-disclosures").status_code == 403
    evidence.add("01", "disclosures.json", {"items": told})


def test_an_outage_keeps_the_order_and_loses_nothing(
    desk: Desk, database: Database, attached: IdentityFeature
) -> None:
    api = desk(feature=replace(attached, partners=("DPI",)))
    first, second = create(api), create(api)
    edit(api, first, used_family="MARTIN")
    wire = Wire(failures=[Transient("")])
    emptied(database, wire)
    assert [message.identity.ipp for _, message in wire.accepted] == [second["ipp"]]
    now_due(database)
    emptied(database, wire)
    assert wire.kinds() == ["A28", "A28", "A31"]
    assert len({message.message_id for _, message in wire.accepted}) == 3


def test_a_refusal_stops_the_line_of_that_patient_until_a_person_retries(
    desk: Desk, database: Database, attached: IdentityFeature
) -> None:
    api = desk(feature=attached)
    patient = create(api)
    edit(api, patient, used_family="MARTIN")
    wire = Wire(failures=[Permanent("", remote_code="AE")])
    emptied(database, wire)
    assert (wire.kinds("DPI"), wire.kinds("GAM")) == ([], ["A28", "A31"])
    failed = [row for row in outgoing(api, patient)["items"] if row["state"] == "failed"]
    assert [(row["kind"], row["error"]) for row in failed] == [("A28", "AE")]
    path = f"/identity-outbox/{failed[0]['id']}/retry"
    assert desk(Role.SECRETARY).post(path).status_code == 403
    assert api.post(path).json()["state"] == "pending"
    assert api.post(path).json()["code"] == "OUTBOX_NOT_FAILED"
    emptied(database, wire)
    assert wire.kinds("DPI") == ["A28", "A31"]


def test_a_change_that_is_rolled_back_leaves_nothing_to_send(
    desk: Desk, database: Database, attached: IdentityFeature
) -> None:
    api = desk(feature=attached)
    patient = create(api)
    before = len(outgoing(api, patient)["items"])
    assert edit(api, patient, birth_family="é").status_code == 422
    assert len(outgoing(api, patient)["items"]) == before == len(PARTNERS)
    assert show(api, patient)["birth_family"] == "PAT-TROIS"
