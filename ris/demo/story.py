"""The main job, step by step, through the public HTTP API: what staff do, then what leaves alone.

Only requests and what they answered; starting processes and checking artefacts are elsewhere.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pydicom

from ris.core import clock
from ris.demo.client import Browser, DemoFailure
from ris.sandbox.annuaire import REQUESTER_ADDRESS
from ris.sandbox.psc_people import RADIOLOGIST_A, REQUESTER, SECRETARY

CT: Final = Path(pydicom.__file__).parent / "data/test_files/dicomdirtests/77654033/CT2"
TRAITS: Final = {
    "birth_family": "PAT-TROIS",
    "first_birth_given": "DOMINIQUE",
    "birth_date": "1979-03-28",
    "sex": "F",
    "birth_place": "51215",
}
SECTIONS: Final = {
    "indication": "Céphalées inhabituelles. Recherche d’une lésion intracrânienne.",
    "history": "Pas d’antécédent notable. Aucune contre-indication connue.",
    "technique": "Acquisition hélicoïdale de l’encéphale, sans injection de produit de contraste.",
    "results": "Pas d’hémorragie intra ou péri-cérébrale. Structures médianes en place. "
    "Système ventriculaire de taille normale. Pas d’effet de masse.",
    "conclusion": "Scanner cérébral sans anomalie décelable.",
}
PROCEDURE: Final = {
    "procedure": {"code": "30799-1", "label": "Tête TDM sans contraste"},
    "modality": {"code": "CT", "label": "Tomodensitométrie"},
    "region": {"code": "774007", "label": "Tête et cou"},
    "location": {"code": "302548004", "label": "tête entière"},
    "ccam": {"code": "ACQK001", "label": "Scanographie du crâne et de son contenu, sans injection"},
}
DELIVERED: Final = {"delivered", "acknowledged"}
PATIENCE_S: Final = 60


@dataclass
class Facts:
    """What the story learnt: identifiers and the last state of each delivery."""

    patient: dict[str, Any] = field(default_factory=dict)
    exam: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    dashboard: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


class Story:
    """Plays the job; *tell*(text) is called as each step succeeds, *watch*() while waiting."""

    def __init__(
        self, api_url: str, trust: Path, tell: Callable[[str], None], watch: Callable[[], None]
    ) -> None:
        self.radiologist = Browser(api_url, trust, RADIOLOGIST_A)
        self.secretary = Browser(api_url, trust, SECRETARY)
        self.facts = Facts()
        self._tell = tell
        self._watch = watch

    def close(self) -> None:
        """Close both browsers."""
        self.radiologist.close()
        self.secretary.close()

    def play(self) -> Facts:
        """Play every step; raises `DemoFailure`."""
        started = time.monotonic()
        for step in (
            self.sign_in, self.register, self.qualify, self.order, self.examine, self.sign,
            self.diffuse,
        ):  # fmt: skip
            step()
        self.facts.seconds = time.monotonic() - started
        return self.facts

    def sign_in(self) -> None:
        """Both sign in; the radiologist acts for his own practice."""
        self.radiologist.sign_in()
        practice = self.radiologist.person.workplaces[0].struct_idnat
        session = self.radiologist.choose_situation(practice)
        self.secretary.sign_in()
        self._tell(
            f"Dr {session['family']} connectée par Pro Santé Connect ({session['acr']}), "
            f"cabinet RPPS-rang {practice} ; secrétaire connectée"
        )

    def register(self) -> None:
        """The patient gives her traits: an identity provisoire."""
        self.facts.patient = self.secretary.post("/v1/patients", TRAITS)
        self._status(self.facts.patient, "provisoire")

    def qualify(self) -> None:
        """The identity becomes récupérée by INSi, then qualifiée with a passport."""
        self.retrieve()
        self.validate()
        self._tell("Identité provisoire → récupérée (INSi, code 00) → qualifiée (passeport)")

    def retrieve(self) -> None:
        """INSi is asked, and its answer accepted."""
        desk = self.secretary
        path = f"/v1/patients/{self.facts.patient['id']}"
        found = desk.post(f"{path}/insi-search", {})
        if found["code"] != "00":
            raise DemoFailure(f"INSi a répondu {found['code']}.")
        answer = {"retrieval_id": found["retrieval_id"]}
        accepted = desk.post(f"{path}/insi-acceptance", answer, headers=self._as_read())
        self._status(accepted, "récupérée")
        self.facts.patient = accepted

    def validate(self) -> None:
        """A passport is shown."""
        path = f"/v1/patients/{self.facts.patient['id']}/documents"
        presented = {"type": "PA", "validate_identity": True}
        shown = self.secretary.post(path, presented, headers=self._as_read())
        self._status(shown["patient"], "qualifiée")
        self.facts.patient = shown["patient"]

    def _as_read(self) -> dict[str, str]:
        """Send back the version of the record as it was last read."""
        return {"If-Match": f'"{self.facts.patient["version"]}"'}

    def order(self) -> None:
        """The requester is found in the Annuaire Santé; the RIS issues its numbers."""
        listed = self.secretary.get("/v1/directory", rpps=REQUESTER.ps_idnat[1:])
        addresses = [box["address"] for one in listed for box in one["mailboxes"]]
        if REQUESTER_ADDRESS not in addresses:
            raise DemoFailure("L'annuaire n'a pas donné l'adresse MSSanté du prescripteur.")
        self.facts.exam = self.secretary.post(
            "/v1/orders",
            {
                "patient_id": self.facts.patient["id"],
                "requester": {"rpps": REQUESTER.ps_idnat[1:], "mss_address": REQUESTER_ADDRESS},
                "reason": SECTIONS["indication"],
                "scheduled_at": clock.now().isoformat(),
                **PROCEDURE,
            },
        )
        self._tell(
            f"Demande du Dr {REQUESTER.family} (Annuaire Santé) ; "
            f"AccessionNumber {self.facts.exam['accession_number']}"
        )

    def examine(self) -> None:
        """A real CT study, stamped by the modality with the worklist's identifiers."""
        exam = self.facts.exam
        files = [
            stamped(path.read_bytes(), exam, self.facts.patient["ipp"])
            for path in sorted(CT.iterdir())
        ]
        self.facts.exam = self.secretary.upload(f"/v1/exams/{exam['id']}/study", files)
        self._tell(f"Scanner lu ({len(files)} images, {self.facts.exam['device']}), examen terminé")

    def sign(self) -> None:
        """Drafted, then validated and signed by the radiologist, in one transaction."""
        draft = self.radiologist.post(
            "/v1/reports",
            {
                "exam_id": self.facts.exam["id"],
                "title": "Scanner cérébral sans injection",
                "sections": SECTIONS,
            },
        )
        path = f"/v1/reports/{draft['id']}"
        headers = {"If-Match": f'"{draft["version"]}"'}
        self.radiologist.post(f"{path}/signature", status=201, headers=headers)
        self.facts.report = self.radiologist.get(path)
        self._tell("Compte rendu validé et signé : CDA N1 et N3, PDF/A-1b, envois planifiés")

    def diffuse(self) -> None:
        """No further click: wait for the DMP and for both receipts."""
        path = f"/v1/reports/{self.facts.report['id']}/deliveries"
        told: set[str] = set()
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            self._watch()
            self.facts.deliveries = self.radiologist.get(path)["items"]
            for delivery in self.facts.deliveries:
                if arrived(delivery) and delivery["channel"] not in told:
                    told.add(delivery["channel"])
                    self._tell(ARRIVALS[delivery["channel"]])
            if len(told) == len(ARRIVALS):
                self.facts.dashboard = self.radiologist.get("/v1/dashboard")
                return
            time.sleep(0.1)
        states = ", ".join(
            f"{one['channel']} {one['state']} {one.get('last_error_code') or ''}".strip()
            for one in self.facts.deliveries
        )
        raise DemoFailure(f"Diffusion incomplète après {PATIENCE_S} s : {states}.")

    @staticmethod
    def _status(patient: dict[str, Any], expected: str) -> None:
        if patient["status"] != expected:
            raise DemoFailure(f"Identité {patient['status']} au lieu de {expected}.")


ARRIVALS: Final = {
    "dmp": "DMP alimenté (ITI-41, VIHF, lot signé)",
    "mss_ps": "Message MSSanté reçu par le prescripteur (accusé lu en IMAP)",
    "mss_patient": "Message MSSanté reçu dans Mon espace santé (accusé lu en IMAP)",
}


def arrived(delivery: dict[str, Any]) -> bool:
    """Say whether a delivery has nothing left to wait for: the DMP took it, a mailbox received."""
    if delivery["channel"] == "dmp":
        return delivery["state"] in DELIVERED
    return bool(delivery["state"] == "acknowledged")


def stamped(data: bytes, exam: dict[str, Any], ipp: str) -> bytes:
    """Return the image as the modality would send it: identifiers of the worklist, now."""
    image = pydicom.dcmread(BytesIO(data))
    image.StudyInstanceUID = exam["study_uid"]
    image.AccessionNumber = exam["accession_number"]
    image.PatientID = ipp
    now = clock.now()
    image.TimezoneOffsetFromUTC = "+0000"
    for part in ("Study", "Series", "Acquisition", "Content"):
        setattr(image, f"{part}Date", f"{now:%Y%m%d}")
        setattr(image, f"{part}Time", f"{now:%H%M%S}")
    image.PatientName = f"{TRAITS['birth_family']}^{TRAITS['first_birth_given']}"
    out = BytesIO()
    image.save_as(out)
    return out.getvalue()
