"""Lines 37 to 39: what leaves the practice, to whom, with or without the INS; what is printed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from ris.auth.rights import Role
from ris.core import clock
from ris.demo.story import Story
from ris.identity.values import INS_OIDS
from ris.sandbox.insi_people import PEOPLE
from ris.sandbox.psc_people import RADIOLOGIST_A, REQUESTER
from tests.ins_day.acts import listed, path, qualified, recovered
from tests.ins_day.conftest import Line
from tests.ins_day.paper import scanned
from tests.ins_day.practice import GAM, Desk, Json, Practice
from tests.journeys.wire import of_mail
from tests.reports.pdf_text import text_of

PATIENT = PEOPLE[0]  # the one whom the DMP and Mon espace santé know: PAT-TROIS, test INS
ALWAYS = ("Nom de naissance", "Premier prénom de naissance", "Date de naissance", "Sexe",
          "Matricule INS")  # fmt: skip
CHOSEN = ("Prénoms de naissance", "Nom utilisé", "Prénom utilisé", "Lieu de naissance (code INSEE)")
DONE = {"dmp": "delivered", "mss_ps": "acknowledged", "mss_patient": "acknowledged"}


@dataclass
class Signed:
    """A patient, and the report that his radiologist signed."""

    patient: Json
    report: Json


def signed(practice: Practice, patient: Json) -> Signed:
    """Order, examine, dictate, sign: no click after the signature."""
    site = practice.site
    story = Story(site.sandbox.api_url, site.sandbox.pki.trust, lambda _: None, lambda: None)
    story.close()
    story.secretary = practice.desk(Role.SECRETARY)
    story.radiologist = practice.desk(Role.RADIOLOGIST)
    story.facts.patient = patient
    story.order()
    story.examine()
    story.sign()
    return Signed(patient, story.facts.report)


def artefact(practice: Practice, report: Json, kind: str) -> bytes:
    """A document of the signed version, as the API gives it."""
    doctor = practice.desk(Role.RADIOLOGIST)
    return doctor.download(f"/v1/reports/{report['id']}/versions/1/{kind}")


def deliveries(practice: Practice, report: Json) -> dict[str, Json]:
    """The deliveries of a report, by channel."""
    doctor = practice.desk(Role.RADIOLOGIST)
    rows = listed(doctor, f"/v1/reports/{report['id']}/deliveries")
    return {one["channel"]: one for one in rows}


def printed(text: str) -> dict[str, str]:
    """The labels of the patient's block on paper, and what follows each."""
    lines = text.split("\n")
    labels = {*ALWAYS, *CHOSEN}
    return {one: lines[at + 1] for at, one in enumerate(lines) if one in labels}


@pytest.fixture(scope="module")
def known(practice: Practice) -> Signed:
    """The report of a qualifiée patient, signed."""
    fields = {"used_family": "USAGE", "used_given": "ANNA"}
    return signed(practice, qualified(practice.desk(), PATIENT, **fields))


@pytest.mark.ins_day(37)
@pytest.mark.rem("RIS.INS.51", scenario="INS/va1.46.01")
def test_46_01_each_partner_that_received_the_ins_is_listed(
    practice: Practice, known: Signed, secretary: Desk, line: Line
) -> None:
    started = clock.now() - timedelta(minutes=5)

    def arrived() -> bool:
        rows = deliveries(practice, known.report)
        return {name: one["state"] for name, one in rows.items()} == DONE

    practice.until(arrived)
    rows = practice.until(lambda: everyone(secretary, known.patient))
    by_channel = {one["channel"]: one for one in rows}
    assert by_channel.keys() == {"dmp", "mss_ps", "mss_patient", "hl7_pam"}
    practice_of = RADIOLOGIST_A.workplaces[0].struct_idnat
    told = {name: (one["sender"], one["partner"]) for name, one in by_channel.items()}
    assert told == {
        "hl7_pam": (GAM, "PACS"),
        "dmp": (practice_of, "dmp"),
        "mss_ps": (practice_of, REQUESTER.ps_idnat),
        "mss_patient": (practice_of, "patient"),
    }
    sent = deliveries(practice, known.report)
    for name in DONE:
        assert by_channel[name]["reference"] == sent[name]["id"]
        assert sent[name]["with_ins"] is True
    for one in rows:
        at = datetime.fromisoformat(one["at"]).astimezone(UTC)
        assert started <= at <= clock.now() + timedelta(seconds=1)
    (fed,) = practice.site.sandbox.dmp.registry.reports()
    assert PATIENT.number.encode() in fed.content
    line.saw("DMP, prescripteur, patient et PACS : date, heure, émetteur, destinataire")
    line.keep("envois.json", rows)


def everyone(desk: Desk, patient: Json) -> list[Json]:
    """The partners that received the INS, once there are four of them."""
    rows = listed(desk, path(patient, "ins-disclosures"))
    return rows if len({one["channel"] for one in rows}) == 4 else []


@pytest.mark.ins_day(38)
@pytest.mark.rem("RIS.INS.37", scenario="INS/va1.59.01")
@pytest.mark.rem("RIS.INS.37", scenario="INS/va1.59.02")
def test_59_01_59_02_nothing_carries_the_ins_of_a_recovered_identity(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    person = practice.person()
    done = signed(practice, recovered(secretary, person))
    practice.until(lambda: deliveries(practice, done.report)["mss_ps"]["state"] == "acknowledged")
    rows = deliveries(practice, done.report)
    assert (rows["dmp"]["state"], rows["dmp"]["reason"]) == ("held", "BLOCKED_INS")
    assert rows["mss_patient"]["state"] == "held"
    assert not any(one["with_ins"] for one in rows.values())
    pdf, n1, n3 = (artefact(practice, done.report, kind) for kind in ("pdf", "n1", "n3"))
    text = text_of(pdf)
    (mail,) = [one for one in practice.site.mails()[0] if person.family in opened(of_mail(one))]
    heard = practice.until(lambda: practice.pacs.about(done.patient))
    outputs = {
        "PDF": text,
        "CDA N1": n1.decode(),
        "CDA N3": n3.decode(),
        "mail": opened(of_mail(mail)),
        "HL7": " ".join(one.segment("PID").raw(3) for one in heard),
        "JSON": str([done.report, rows]),
    }
    forbidden = (person.number, person.number[:13], *INS_OIDS, "INS-NIR", "Matricule INS")
    found = [
        (name, one) for name, content in outputs.items() for one in forbidden if one in content
    ]
    assert found == []
    assert person.family in text
    assert person.family in outputs["CDA N3"]
    assert scanned(pdf) is None
    assert listed(secretary, path(done.patient, "ins-disclosures")) == []
    line.saw("récupérée : ni matricule ni OID dans CDA, PDF, mail MSSanté et HL7 ; DMP retenu")
    line.keep("compte-rendu.pdf", pdf)
    line.keep("n1.xml", n1)
    line.keep("message.eml", mail.raw)


def opened(contents: Iterable[bytes]) -> str:
    """Everything inside a mail, attachments and archives opened."""
    return "\n".join(one.decode("utf-8", "replace") for one in contents)


@pytest.mark.ins_day(39)
@pytest.mark.rem("RIS.INS.52", scenario="INS/va1.15.01")
@pytest.mark.rem("RIS.INS.54", scenario="INS/va1.03.01")
def test_15_01_03_01_paper_shows_the_five_traits_the_nature_and_the_datamatrix(
    practice: Practice, known: Signed, line: Line
) -> None:
    pdf = artefact(practice, known.report, "pdf")
    shown = printed(text_of(pdf))
    assert {name: shown[name] for name in ALWAYS} == {
        "Nom de naissance": PATIENT.family,
        "Premier prénom de naissance": "DOMINIQUE",
        "Date de naissance": "28/03/1979",
        "Sexe": "Féminin",
        "Matricule INS": f"{PATIENT.number} (NIR)",
    }
    assert scanned(pdf) == (
        "IS01" + "0" * 22 + f"S1{PATIENT.number}S2{PATIENT.oid}"
        f"S3{PATIENT.given}\x1dS4{PATIENT.family}\x1dS5FS628-03-1979S7{PATIENT.place}"
    )
    line.saw("quatre traits, matricule suivi de NIR, datamatrix INS relu sur la page")
    line.keep("compte-rendu.pdf", pdf)
    line.keep("imprime.json", shown)


@pytest.mark.ins_day(39)
@pytest.mark.rem("RIS.INS.53", scenario="INS/va1.10.01")
def test_10_01_the_site_chooses_the_other_traits_on_paper(
    practice: Practice, known: Signed, line: Line
) -> None:
    seen = {}
    for setting in ("[]", '["used_family", "birth_place"]'):
        with (
            practice.site.served(RIS_REPORTS__PAPER_TRAITS=setting) as url,
            practice.desk(Role.RADIOLOGIST).at(url),
        ):
            report = signed(practice, known.patient).report
        seen[setting] = printed(text_of(artefact(practice, report, "pdf")))
        assert tuple(one for one in ALWAYS if one in seen[setting]) == ALWAYS
    assert set(seen["[]"]) == set(ALWAYS)
    other = seen['["used_family", "birth_place"]']
    assert set(other) - set(ALWAYS) == {"Nom utilisé", "Lieu de naissance (code INSEE)"}
    whole = printed(text_of(artefact(practice, known.report, "pdf")))
    assert {name: whole[name] for name in CHOSEN} == {
        "Prénoms de naissance": PATIENT.given,
        "Nom utilisé": "USAGE",
        "Prénom utilisé": "ANNA",
        "Lieu de naissance (code INSEE)": PATIENT.place,
    }
    line.saw("traits facultatifs imprimés selon le réglage du site")
    line.keep("reglages.json", {**seen, "par défaut": whole})
