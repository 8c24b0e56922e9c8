"""One identity of our own domain, from its creation to its end, told by its repository (PAM)."""

from datetime import date

import pytest
from sqlalchemy import select

from ris.identity.foreign.feed import LocalId
from ris.identity.model import IdentityHistory, Patient
from ris.identity.values import Status
from ris.interop.hl7v2.service import Inbox
from ris.rem.evidence import Evidence
from tests.interop.hl7v2.sample import DOMAIN, INS, merge, message
from tests.interop.hl7v2.test_conformance import known_as
from tests.interop.hl7v2.test_inbox import told

MATRICULE = INS[:15]
UPDATE = "ADT^A31^ADT_A05"
WITHDRAWN = '""^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS'
LATER = {"recorded": "20240514093000"}

pytestmark = pytest.mark.rem("RIS.INS.55", scenario="INS/va1.67.01")


def born(inbox: Inbox) -> Patient:
    """An identity created qualifiée by an A28."""
    assert told(inbox.receive(message(ins=INS, status="VALI"))) == ("AA", [])
    made = known_as(inbox.database, LocalId("P1", DOMAIN))
    assert (made.ipp, made.status, made.ins_matricule) == ("P1", "qualifiée", MATRICULE)
    return made


def updated(inbox: Inbox, before: Patient, data: bytes) -> Patient:
    assert told(inbox.receive(data))[0] == "AA"
    after = known_as(inbox.database, LocalId("P1", DOMAIN))
    assert after.id == before.id
    return after


@pytest.mark.parametrize("trigger", ["ADT^A31^ADT_A05", "ADT^A08^ADT_A01"])
def test_an_update_changes_the_traits_and_keeps_what_is_still_told(
    inbox: Inbox, trigger: str, evidence: Evidence
) -> None:
    before = born(inbox)
    data = message(
        trigger, control="C2", ins=INS, status="VALI", place="63220", born="19790329", sex="M",
        names="TESTRIS-GAMMA^ANNE^ANNE LUCIE^^^^L~TESTRIS-USUEL^ANNIE^^^^^D", **LATER,
    )  # fmt: skip
    after = updated(inbox, before, data)
    traits = after.traits
    assert (traits.birth_family, traits.used_family, traits.used_given) == (
        "TESTRIS-GAMMA", "TESTRIS-USUEL", "ANNIE",
    )  # fmt: skip
    assert (traits.birth_date, traits.sex, traits.birth_place) == (date(1979, 3, 29), "M", "63220")
    assert (after.status, after.ins_matricule) == ("qualifiée", MATRICULE)
    with inbox.database.transaction() as session:
        told = select(IdentityHistory).filter_by(event="foreign_trusted")
        line = session.scalars(told.order_by(IdentityHistory.id)).all()[-1]
        assert line.changes["birth_family"] == ["TESTRIS-BETA", "TESTRIS-GAMMA"]
        assert line.evidence["message"] == "C2"
    evidence.add("02", "adt-a31.hl7", data)
    evidence.add("03", "apres.txt", f"{after.status} {after.birth_family}")


@pytest.mark.parametrize(
    ("status", "lands"),
    [("VALI", Status.VALIDEE), ("PROV", Status.PROVISOIRE), ("RECUP", Status.RECUPEREE),
     ("DOUT", Status.PROVISOIRE), ("DESA", Status.PROVISOIRE)],
)  # fmt: skip
def test_an_update_that_no_longer_tells_the_ins_takes_it_away(
    inbox: Inbox, status: str, lands: Status
) -> None:
    after = updated(inbox, born(inbox), message(UPDATE, control="C2", status=status, **LATER))
    assert (after.status, after.ins_matricule, after.ins_oid) == (lands, None, None)
    assert list(after.review) == {"DESA": ["inactive"], "DOUT": ["doubtful"]}.get(status, [])


def test_a_deletion_of_the_ins_leaves_the_identity_without_it(
    inbox: Inbox, evidence: Evidence
) -> None:
    before = born(inbox)
    former = f"MRG|{INS}"
    data = message(
        "ADT^A47^ADT_A30", control="C2", ins=WITHDRAWN, status="VALI", more=(former,), zfd="",
        **LATER,
    )  # fmt: skip
    after = updated(inbox, before, data)
    assert (after.status, after.ins_matricule, after.ins_oid) == ("validée", None, None)
    assert after.traits == before.traits
    evidence.add("04", "adt-a47.hl7", data)


def test_an_identity_that_the_repository_retires_is_found_in_its_survivor(inbox: Inbox) -> None:
    before = born(inbox)
    inbox.receive(message(control="C2", ipp="P2", status="VALI"))
    retired = known_as(inbox.database, LocalId("P2", DOMAIN))
    assert told(inbox.receive(merge(control="C3")))[0] == "AA"
    assert known_as(inbox.database, LocalId("P2", DOMAIN)).id == before.id
    with inbox.database.transaction() as session:
        assert session.get_one(Patient, retired.id).merged_into_id == before.id


def test_a_deletion_that_pam_does_not_have_is_refused_by_name(inbox: Inbox) -> None:
    before = born(inbox)
    code, errors = told(inbox.receive(message("ADT^A29^ADT_A21", control="C2", **LATER)))
    assert (code, errors[0][1]) == ("AR", "201")
    after = known_as(inbox.database, LocalId("P1", DOMAIN))
    assert (after.status, after.ins_matricule) == (before.status, MATRICULE)
