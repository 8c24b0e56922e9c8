"""The bodies sent to the registry and the repository: ITI-41, ITI-18 and ITI-57. Pure.

Elements in, elements out: no envelope, no assertion, no transport.
"""

from dataclasses import dataclass
from typing import Final

from lxml.builder import ElementMaker

from ris.core.xml import Element
from ris.dmp.metadata import DOCUMENT, SIGNATURE
from ris.dmp.mtom import XOP, href
from ris.reports.ebrim import APPROVED, RIM, RPLC, SIGNS, UPDATE_STATUS, submit_objects
from ris.reports.xds import Association, DocumentEntry, Submission, SubmissionSet

XDS: Final = "urn:ihe:iti:xds-b:2007"
QUERY: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
DELETED: Final = "urn:asip:ci-sis:2010:StatusType:Deleted"
GET_DOCUMENTS: Final = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"

_xds: Final = ElementMaker(namespace=XDS, nsmap={"xds": XDS})
_xop: Final = ElementMaker(namespace=XOP, nsmap={"xop": XOP})
_query: Final = ElementMaker(namespace=QUERY, nsmap={"query": QUERY})
_rim: Final = ElementMaker(namespace=RIM, nsmap={"rim": RIM})


@dataclass(frozen=True, slots=True)
class Lot:
    """A signed lot ready to leave: metadata and the bytes of the two documents.

    *replaced_entry* is the entryUUID (`urn:uuid:…`) of the version replaced, or None.
    """

    submission_set: SubmissionSet
    report: DocumentEntry
    signature: DocumentEntry
    report_bytes: bytes
    signature_bytes: bytes
    replaced_entry: str | None = None

    def parts(self) -> dict[str, bytes]:
        """Return the MTOM parts: Content-ID → bytes."""
        return {
            _cid(DOCUMENT, self): self.report_bytes,
            _cid(SIGNATURE, self): self.signature_bytes,
        }


def provide_and_register(lot: Lot) -> Element:
    """Return the ITI-41 body: metadata, then one `xds:Document` with `xop:Include` a document."""
    original = (("SubmissionSetStatus", ("Original",)),)
    links = [Association(SIGNS, SIGNATURE, lot.submission_set.entry_id, original)]
    if lot.replaced_entry:
        links.append(Association(RPLC, DOCUMENT, lot.replaced_entry))
    submission = Submission(lot.submission_set, (lot.report, lot.signature), tuple(links))
    documents = [
        _xds.Document(_xop.Include(href=href(_cid(entry_id, lot))), id=entry_id)
        for entry_id in (DOCUMENT, SIGNATURE)
    ]
    return _xds.ProvideAndRegisterDocumentSetRequest(submit_objects(submission), *documents)


def reference_query(unique_id: str) -> Element:
    """Return the ITI-18 body that asks for the entryUUID of a uniqueId (TD3.1b, dmp.md §9)."""
    slot = _rim.Slot(
        _rim.ValueList(_rim.Value(f"('{unique_id}')")), name="$XDSDocumentEntryUniqueId"
    )
    return _query.AdhocQueryRequest(
        _query.ResponseOption(returnComposedObjects="true", returnType="ObjectRef"),
        _rim.AdhocQuery(slot, id=GET_DOCUMENTS),
    )


def status_update(lot: SubmissionSet, entry_uuid: str, new_status: str = DELETED) -> Element:
    """Return the ITI-57 body that moves *entry_uuid* from Approved to *new_status* (TD3.3c)."""
    change = Association(
        UPDATE_STATUS,
        lot.entry_id,
        entry_uuid,
        (("OriginalStatus", (APPROVED,)), ("NewStatus", (new_status,))),
    )
    return submit_objects(Submission(lot, (), (change,)))


def _cid(entry_id: str, lot: Lot) -> str:
    return f"{entry_id}.{lot.submission_set.unique_id}@ris"
