"""What the demo's artefacts show, requirement by requirement: one small check each.

A check reads the files of `artefacts` and says yes or no. It proves this run only, never a
référencement.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Final

from ris.core.xml import Element, parse
from ris.demo.artefacts import attachment, parsed
from ris.mss.consistency import problems
from ris.mss.xdm_reader import read_xdm
from ris.reports.validation.findings import errors
from ris.reports.validation.validate import validate_files
from ris.sandbox.annuaire import REQUESTER_ADDRESS

NS: Final = {"h": "urn:hl7-org:v3"}
MATRICULE: Final = "279035121518989"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: the requirements it shows, and in French what is seen."""

    ids: tuple[str, ...]
    label: str
    holds: Callable[["Artefacts"], bool]


class Artefacts:
    """The files of one demo, read once."""

    def __init__(self, folder: Path, kit: Path | None) -> None:
        self.folder = folder
        self.n1 = parse((folder / "report-n1.xml").read_bytes(), document=True)
        self.pdf = (folder / "report.pdf").read_bytes()
        self.mails = [(folder / name).read_bytes() for name in ("mail-ps.eml", "mail-patient.eml")]
        self.iti41 = (folder / "dmp-iti41.mime").read_bytes()
        self.actions = {
            json.loads(line)["action"]
            for line in (folder / "audit.jsonl").read_text(encoding="utf-8").splitlines()
        }
        documents = [folder / name for name in ("report-n1.xml", "report-n3.xml", "report.pdf")]
        self.findings = errors(validate_files(documents, kit))

    def mail(self, index: int) -> EmailMessage:
        """Return the mail to the professional (0) or to the patient (1)."""
        return parsed(self.mails[index])

    def found(self, path: str) -> list[Element]:
        """Return what an XPath selects in the N1 document."""
        selected = self.n1.xpath(path, namespaces=NS)
        return selected if isinstance(selected, list) else []


def _valid(name: str) -> Callable[[Artefacts], bool]:
    return lambda seen: not [one for one in seen.findings if one.source.endswith(name)]


def _done(*actions: str) -> Callable[[Artefacts], bool]:
    return lambda seen: set(actions) <= seen.actions


def _in_n1(path: str) -> Callable[[Artefacts], bool]:
    return lambda seen: bool(seen.found(path))


def _same_pdf(seen: Artefacts) -> bool:
    return all(attachment(raw, "application/pdf") == seen.pdf for raw in seen.mails)


def _archives(seen: Artefacts) -> bool:
    volumes = [read_xdm(attachment(raw, "application/zip")) for raw in seen.mails]
    return len(volumes) == len(seen.mails) and not any(problems(raw) for raw in seen.mails)


CHECKS: Final = (
    Check(("RIS.PSC.01",), "connexions Pro Santé Connect au journal", _done("auth.login_success")),
    Check(("RIS.DOC.01",), "PDF/A-1b, contrôles de structure", _valid("report.pdf")),
    Check(("RIS.DOC.02",), "CDA R2 N1 : {depth}", _valid("report-n1.xml")),
    Check((), "CDA R2 N3 : {depth}", _valid("report-n3.xml")),
    Check(
        ("RIS.DOC.03", "RIS.INS.37"), "INS de l'identité qualifiée dans le CDA",
        _in_n1(f"//h:recordTarget/h:patientRole/h:id[@extension='{MATRICULE}']"),
    ),
    Check(
        ("RIS.DOC.05",), "adresse MSSanté du prescripteur dans le CDA",
        _in_n1(f"//h:participant[@typeCode='REF']//h:telecom[@value='mailto:{REQUESTER_ADDRESS}']"),
    ),
    Check(
        ("RIS.DOC.04",), "destinataires nommés dans le CDA", _in_n1("//h:informationRecipient")
    ),
    Check(
        ("RIS.CRR.07",), "type 18748-4", _in_n1("/h:ClinicalDocument/h:code[@code='18748-4']")
    ),
    Check(("RIS.CRR.01",), "signature au journal", _done("report.signed")),
    Check(
        ("RIS.DMP.01",), "une soumission ITI-41 acceptée par le DMP",
        lambda seen: b"ProvideAndRegisterDocumentSetRequest" in seen.iti41,
    ),
    Check(
        ("RIS.DMP.07",), "confidentialityCode N dans les métadonnées XDS",
        lambda seen: b'nodeRepresentation="N"' in seen.iti41,
    ),
    Check(
        ("RIS.MSS.19",), "message au prescripteur, sujet XDM/1.0/DDM",
        lambda seen: seen.mail(0)["Subject"].startswith("XDM/1.0/DDM+"),
    ),
    Check(
        ("RIS.MSS.12", "RIS.MSS.22"), "message au patient, adresse tirée de l'INS qualifié",
        lambda seen: seen.mail(1)["To"] == f"{MATRICULE}@patient.mssante.fr",
    ),
    Check(
        ("RIS.MSS.08",), "Message-ID",
        lambda seen: all(parsed(raw)["Message-ID"] for raw in seen.mails),
    ),
    Check((), "PDF joint identique au corps du CDA", _same_pdf),
    Check((), "archives IHE_XDM conformes", _archives),
)  # fmt: skip
