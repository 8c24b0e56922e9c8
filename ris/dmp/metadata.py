"""DMP choices on the XDS metadata: set, signature entry, CCAM system, visibility rules. Pure.

The document's own metadata are read from the CDA by `ris.reports.xds_source`; no XML is written
here (ebRIM: `ris.reports.ebrim`), no clock, no database.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Final

from ris.dmp.errors import BlockedIns, VisibilityInvalid, WrongDomain
from ris.dmp.settings import DmpSettings
from ris.identity.values import NIR_DEMO, NIR_TEST
from ris.orders.values import Code
from ris.rem import satisfies
from ris.reports.content import Visibility
from ris.reports.xds import DocumentEntry, SubmissionSet
from ris.reports.xds_source import confidentiality, document_entry

DOCUMENT: Final = "Document01"
SIGNATURE: Final = "Signature01"
_CCAM: Final = "1.2.250.1.215.300.1"
_CONTENT_TYPES: Final = "1.2.250.1.213.2.2"
_TEST_DOMAINS: Final = (NIR_TEST, NIR_DEMO)
_MAJORITY: Final = 18


@satisfies("RIS.DMP.06")
def check_visibility(chosen: Iterable[Visibility], birth_date: date, on: date) -> None:
    """Raise `VisibilityInvalid` when hiding from guardians is asked for an adult (dmp.md §6.4).

    *on* is the day of the sending.
    """
    before_birthday = (on.month, on.day) < (birth_date.month, birth_date.day)
    age = on.year - birth_date.year - before_birthday
    if Visibility.HIDDEN_FROM_GUARDIANS in frozenset(chosen) and age >= _MAJORITY:
        raise VisibilityInvalid("Masquage aux représentants légaux : le patient est majeur.")


def birth_date(entry: DocumentEntry) -> date:
    """Return the birth date that *entry* names in PID-7."""
    digits = next((each[6:] for each in entry.source_patient_info if each.startswith("PID-7|")), "")
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError as error:
        raise VisibilityInvalid("Date de naissance absente du document.") from error


def describe(cda: bytes, chosen: Iterable[Visibility], settings: DmpSettings) -> DocumentEntry:
    """Return the DocumentEntry of the report for the DMP.

    Raises `BlockedIns` when the document carries no INS, `WrongDomain` on a test INS in
    production (or the converse), `MetadataError` on an incomplete header.
    """
    entry = document_entry(
        cda,
        visibility=chosen,
        source_id=settings.source_oid,
        entry_id=DOCUMENT,
        pad_service_time=settings.pad_service_time,
    )
    if not entry.patient_id.endswith("&ISO^NH"):
        raise BlockedIns
    is_test = any(f"&{domain}&" in entry.patient_id for domain in _TEST_DOMAINS)
    if is_test is settings.production:
        raise WrongDomain
    if settings.ccam_system is None:
        return entry
    events = (
        replace(code, system=settings.ccam_system) if code.system == _CCAM else code
        for code in entry.events
    )
    return replace(entry, events=tuple(events))


def submission_set(
    entry: DocumentEntry, settings: DmpSettings, *, unique_id: str, submitted_at: str
) -> SubmissionSet:
    """Return the set that sends *entry*, in its author's name; *submitted_at* in UTC digits."""
    return SubmissionSet(
        unique_id=unique_id,
        source_id=settings.source_oid,
        patient_id=entry.patient_id,
        submission_time=submitted_at,
        author=entry.authors[0],
        title=entry.title,
        content_type=Code(settings.content_type, _CONTENT_TYPES, settings.content_type_label),
    )


def signature_entry(
    report: DocumentEntry, lot: SubmissionSet, signature: bytes, unique_id: str
) -> DocumentEntry:
    """Return the DocumentEntry of the signature document of *lot* (dmp.md §6.5)."""
    hidden = (Visibility.HIDDEN_FROM_PROFESSIONALS, Visibility.HIDDEN_FROM_PATIENT)
    return DocumentEntry(
        unique_id=unique_id,
        title="Source",
        patient_id=lot.patient_id,
        source_patient_id=lot.patient_id,
        creation_time=lot.submission_time,
        legal_authenticator=report.legal_authenticator,
        service_start=lot.submission_time,
        service_stop=lot.submission_time,
        authors=(lot.author,),
        class_code=Code("urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1", "URN", "Digital Signature"),
        type_code=Code("E1762", "ASTM", "Full Document"),
        format_code=Code("http://www.w3.org/2000/09/xmldsig#", "URN", "Default Signature Style"),
        events=(Code("1.2.840.10065.1.12.1.14", "1.2.840.10065.1.12", "Source"),),
        confidentiality=confidentiality(hidden),
        facility=report.facility,
        practice_setting=report.practice_setting,
        hash=hashlib.sha1(signature, usedforsecurity=False).hexdigest(),
        size=len(signature),
        language="art",
        entry_id=SIGNATURE,
    )
