"""Lines 31 to 36: identities and data that come from other domains, over MLLP."""

from dataclasses import dataclass, field

import pytest

from ris.interop.hl7v2.message import Message
from ris.sandbox.insi_people import Person
from tests.ins_day.acts import calls, history, holders, listed, show, validated, worklist
from tests.ins_day.conftest import Line
from tests.ins_day.practice import PARTNER, STRANGER, Desk, Json, Practice
from tests.interop.hl7v2.sample import DOMAIN, message

SENDERS = {
    PARTNER: ("TELERADIO", "PARTENAIRE"),
    STRANGER: ("CLINIQUE", "AILLEURS"),
}


@dataclass
class Foreign:
    """One message from another domain, its answer and what it led to."""

    sent: bytes
    answer: Message
    warnings: list[str] = field(default_factory=list)


def receive(
    practice: Practice,
    person: Person,
    *,
    sender: str = STRANGER,
    event: str = "ADT^A28^ADT_A05",
    ipp: str = "",
) -> Foreign:
    """The identity of *person* arrives qualified by *sender*, with its INS.

    *ipp* is ours where the sender names our own record, else it is the sender's.
    """
    application, facility = SENDERS[sender]
    practice.count += 1
    given = person.given.split()[0]
    data = message(
        event,
        control=f"ETR{practice.count}",
        ipp=ipp or f"E{practice.count}",
        ins=f"{person.number}^^^ASIP-SANTE-INS-NIR&{person.oid}&ISO^INS",
        names=f"{person.family}^{given}^{person.given}^^^^L",
        born=person.born.replace("-", ""),
        sex=person.sex,
        place=person.place,
        status="VALI",
        zfd="" if event.startswith("ORU") else "ZFD|||N|N|INSI",
    )
    data = data.replace(b"GAM|CHU-T", f"{application}|{facility}".encode())
    if not ipp:
        data = data.replace(f"GAM&{DOMAIN}".encode(), f"{application}&{sender}".encode())
    answer = practice.send(data)
    assert answer.segment("MSA").text(1) == "AA"
    return Foreign(data, answer, [one.text(5) for one in answer.all("ERR")])


def found(desk: Desk, person: Person) -> list[Json]:
    """The records of the site with this birth date and this name."""
    items: list[Json] = desk.get("/v1/patients", birth_date=person.born, name=person.family)[
        "items"
    ]
    return items


def verified(practice: Practice, desk: Desk, patient: Json) -> Json:
    """Wait until the worker has verified the INS received for *patient*; return what came out."""

    def settled() -> list[Json]:
        states = ["ok", "ko", "unclear", "conflict"]
        rows = listed(desk, "/v1/foreign-identities", state=states)
        return [one for one in rows if one["patient_id"] == patient["id"]]

    (row,) = practice.until(settled)
    settled_row: Json = row
    return settled_row


def waiting(desk: Desk, row: Json, state: str) -> list[Json]:
    """The health data in *state* that came with the INS of a verification."""
    rows = listed(desk, "/v1/foreign-data", state=state)
    return [one for one in rows if one["foreign_id"] == row["id"]]


def asked(practice: Practice, person: Person) -> int:
    """How many requests about *person* INSi received."""
    return sum(person.family.encode() in body for body in practice.insi.requests)


@pytest.mark.ins_day(31)
@pytest.mark.rem("RIS.INS.38", scenario="INS/va1.13.01")
@pytest.mark.rem("RIS.INS.38", scenario="INS/va1.57.01")
def test_13_01_57_01_a_foreign_qualified_identity_is_verified_then_recovered(
    practice: Practice, secretary: Desk, auditor: Desk, line: Line
) -> None:
    person = practice.person()
    got = receive(practice, person)
    assert "FOREIGN_INS_TO_VERIFY" in str(got.warnings)
    (patient,) = found(secretary, person)
    row = verified(practice, secretary, patient)
    assert (row["state"], row["created_patient"], row["sender"]) == ("ok", True, STRANGER)
    after = show(secretary, patient)
    assert (after["status"], after["ins"]) == ("récupérée", None)
    assert holders(secretary, person) == [patient["id"]]
    (call,) = calls(secretary, patient)
    assert (call["operation"], call["mode"], call["ps_idnat"]) == ("verify", "AUTO", None)
    assert listed(auditor, "/v1/insi-calls", patient_id=patient["id"]) == [call]
    steps = history(secretary, patient)
    assert [one["to_status"] for one in steps] == ["provisoire", "récupérée"]
    assert steps[-1]["evidence"]["insi_call"] == call["id"]
    line.saw("vérification INSi lancée seule, OK : récupérée, matricule et OID gardés")
    line.keep("recu.hl7", got.sent)
    line.keep("apres.json", {"appel": call, "après": after, "historique": steps})


@pytest.mark.ins_day(32)
@pytest.mark.rem("RIS.INS.39", scenario="INS/va1.04.01")
def test_04_01_a_trust_contract_keeps_a_qualified_identity_and_nothing_else_does(
    practice: Practice, secretary: Desk, officer: Desk, line: Line
) -> None:
    body = {"sender": PARTNER, "label": "Téléradiologie, contrat 2026-01",
            "scope": "no_direct_care"}  # fmt: skip
    contract = officer.post("/v1/trust-contracts", body)
    trusted, other = practice.person(), practice.stranger()
    kept, refused = receive(practice, trusted, sender=PARTNER), receive(practice, other)
    table = listed(secretary, "/v1/trust-contracts")
    assert contract["id"] in [one["id"] for one in table]
    assert STRANGER not in [one["sender"] for one in table]
    (under,), (without,) = found(secretary, trusted), found(secretary, other)
    seen = show(secretary, under)
    assert seen["status"] == "qualifiée"
    assert seen["ins"] == {"matricule": trusted.number, "oid": trusted.oid, "nature": "NIR"}
    (step,) = history(secretary, under)
    assert step["evidence"]["contract"] == contract["id"]
    assert asked(practice, trusted) == 0
    verified(practice, secretary, without)
    empty = show(secretary, without)
    assert (empty["status"], empty["ins"]) == ("provisoire", None)
    assert holders(secretary, other) == []

    officer.request("DELETE", f"/v1/trust-contracts/{contract['id']}")
    late = practice.person()
    receive(practice, late, sender=PARTNER)
    (after_end,) = found(secretary, late)
    assert after_end["status"] == "provisoire"
    verified(practice, secretary, after_end)
    assert show(secretary, after_end)["status"] == "récupérée"
    line.saw("avec contrat : qualifiée et INS gardées ; sans contrat, ou contrat fini : INS vide")
    line.keep("avec-contrat.hl7", kept.sent)
    line.keep("sans-contrat.hl7", refused.sent)
    line.keep("contrats.json", {"table": table, "avec": seen, "pourquoi": step, "sans": empty})


@pytest.mark.ins_day(33)
@pytest.mark.rem("RIS.INS.46", scenario="INS/va1.11.01")
def test_11_01_a_foreign_ins_not_known_here_is_verified_by_itself(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    person = practice.person()
    patient = validated(secretary, person)
    assert asked(practice, person) == 0
    got = receive(practice, person, ipp=patient["ipp"])
    assert "FOREIGN_INS_TO_VERIFY" in str(got.warnings)
    row = verified(practice, secretary, patient)
    assert asked(practice, person) == 1
    (call,) = calls(secretary, patient)
    assert (call["operation"], call["mode"]) == ("verify", "AUTO")
    assert (call["ps_idnat"], row["state"]) == (None, "ok")

    known = practice.person()
    receive(practice, known)
    (held,) = found(secretary, known)
    verified(practice, secretary, held)
    assert (show(secretary, held)["status"], asked(practice, known)) == ("récupérée", 1)
    again = receive(practice, known)
    assert "FOREIGN_INS_TO_VERIFY" not in str(again.warnings)
    waiting = listed(secretary, "/v1/foreign-identities", state=["pending", "ok", "ko"])
    assert [one["patient_id"] for one in waiting].count(held["id"]) == 1
    line.saw("appel INSi automatique, sans action ; INS déjà connue : pas de nouvel appel")
    line.keep("recu.hl7", got.sent)
    line.keep("verification.json", {"appel": call, "résultat": row})


@pytest.mark.ins_day(34)
@pytest.mark.rem("RIS.INS.47", scenario="INS/va1.12.01")
def test_12_01_health_data_whose_ins_is_wrong_are_not_filed_and_wait_for_a_person(
    practice: Practice, secretary: Desk, officer: Desk, line: Line
) -> None:
    person = practice.stranger()
    got = receive(practice, person, event="ORU^R01^ORU_R01")
    assert "FOREIGN_INS_TO_VERIFY" in str(got.warnings)
    (patient,) = found(secretary, person)
    row = verified(practice, secretary, patient)
    assert row["state"] == "ko"
    assert row["id"] in [one["id"] for one in listed(secretary, "/v1/foreign-identities")]
    assert patient["id"] in worklist(secretary, "foreign_ko")
    held = waiting(secretary, row, "held")
    assert [(one["kind"], one["state"]) for one in held] == [("ORU", "held")]
    assert held[0]["reference"] == f"{row['message_id']}@{STRANGER}"
    assert waiting(secretary, row, "released") == waiting(secretary, row, "filed") == []
    decision = {"decision": "refuse", "reason": "INS d'une autre personne"}
    decided = officer.post(f"/v1/foreign-data/{held[0]['id']}/decision", decision, status=200)
    assert decided["state"] == "refused"

    good = practice.person()
    receive(practice, good, event="ORU^R01^ORU_R01")
    (sure,) = found(secretary, good)
    ok = verified(practice, secretary, sure)
    assert len(waiting(secretary, ok, "released")) == 1
    alone = practice.stranger()
    receive(practice, alone)
    (nothing,) = found(secretary, alone)
    assert waiting(secretary, verified(practice, secretary, nothing), "held") == []
    line.saw("KO : données retenues, alerte et deux listes de travail ; OK : données libérées")
    line.keep("recu.hl7", got.sent)
    line.keep("retenues.json", {"alerte": row, "données": held, "décision": decided})


@pytest.mark.ins_day(35)
@pytest.mark.rem("RIS.INS.44", scenario="INS/va1.07.01")
def test_07_01_a_known_patient_is_left_as_he_is_when_the_foreign_ins_is_wrong(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    person = practice.stranger()
    patient = validated(secretary, person, used_family="USAGE")
    before = show(secretary, patient)
    foreign = Person(person.family, person.given, person.sex, person.born, "63220", person.number,
                     person.oid)  # fmt: skip
    practice.insi.people.append(
        Person(person.family, person.given, person.sex, person.born, person.place,
               practice.stranger().number, person.oid)
    )  # fmt: skip
    got = receive(practice, foreign, ipp=patient["ipp"])
    row = verified(practice, secretary, patient)
    assert (row["state"], row["created_patient"]) == ("ko", False)
    assert asked(practice, person) == 1
    after = show(secretary, patient)
    assert after == before
    assert holders(secretary, foreign) == []
    line.saw("validée avant et après, aucun champ modifié")
    line.keep("recu.hl7", got.sent)
    line.keep("avant-apres.json", {"avant": before, "après": after, "vérification": row})


@pytest.mark.ins_day(36)
@pytest.mark.rem("RIS.INS.45", scenario="INS/va1.05.01")
def test_05_01_an_unknown_patient_is_created_from_his_traits_when_the_ins_is_wrong(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    person = practice.stranger()
    got = receive(practice, person)
    (patient,) = found(secretary, person)
    row = verified(practice, secretary, patient)
    assert (row["state"], row["created_patient"]) == ("ko", True)
    after = show(secretary, patient)
    assert (after["status"], after["ins"], after["to_review"]) == ("provisoire", None, True)
    assert (after["birth_family"], after["birth_place"]) == (person.family, person.place)
    assert after["birth_given_names"] == person.given.split()
    assert holders(secretary, person) == []
    shown = str([after, row, history(secretary, patient)])
    assert person.number not in shown
    assert person.oid not in shown
    line.saw("créée au statut provisoire avec les traits reçus, sans matricule ni OID")
    line.keep("recu.hl7", got.sent)
    line.keep("creee.json", {"vérification": row, "créée": after})
