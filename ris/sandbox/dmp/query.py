"""The registry side: TD3.1b (references only in indirect mode) and TD3.3c (deletion)."""

import re
from typing import Final

from lxml.builder import ElementMaker

from ris.core.xml import Element
from ris.sandbox.dmp import ebrim
from ris.sandbox.dmp.assertion import Caller
from ris.sandbox.dmp.registry import APPROVED, DELETED, Registry
from ris.sandbox.dmp.wire import RegistryRefusal, SoapRefusal

_QUERY: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
_RIM: Final = ebrim.NS["rim"]
_GET_DOCUMENTS: Final = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
_SUCCESS: Final = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
_query: Final = ElementMaker(namespace=_QUERY, nsmap={"query": _QUERY})
_rim: Final = ElementMaker(namespace=_RIM, nsmap={"rim": _RIM})
_DENIED: Final = "DMPAccessDeniedByRightsService"


def references(request: Element, caller: Caller, registry: Registry) -> Element:
    """Return the `AdhocQueryResponse` with the entryUUID of the uniqueIds asked for.

    A deleted document is not returned ([?] in the sources). Raises `SoapRefusal`.
    """
    option = request.find(f"{{{_QUERY}}}ResponseOption")
    query = request.find(f"{{{_RIM}}}AdhocQuery")
    if request.tag != f"{{{_QUERY}}}AdhocQueryRequest" or option is None or query is None:
        raise SoapRefusal("DMPInvalidRequest", "AdhocQueryRequest attendu")
    if caller.mode == "INDIRECTE" and (
        option.get("returnType") != "ObjectRef" or query.get("id") != _GET_DOCUMENTS
    ):
        raise SoapRefusal(_DENIED, "Mode indirect : référence seulement")
    values = query.findall(
        "rim:Slot[@name='$XDSDocumentEntryUniqueId']/rim:ValueList/rim:Value", ebrim.NS
    )
    texts = [(value.text or "").strip() for value in values]
    if not texts or not all(re.fullmatch(r"\('[^']+'(,'[^']+')*\)", text) for text in texts):
        raise SoapRefusal("DMPInvalidRequest", "$XDSDocumentEntryUniqueId")
    wanted = {each for text in texts for each in re.findall(r"'([^']+)'", text)}
    found = [
        _rim.ObjectRef(id=each.entry_uuid)
        for each in registry.entries()
        if each.unique_id in wanted and each.status != DELETED
    ]
    listed = _rim.RegistryObjectList(*found)
    return _query.AdhocQueryResponse(listed, status=_SUCCESS, totalResultCount=str(len(found)))


def delete(request: Element, caller: Caller, registry: Registry) -> None:
    """Apply an ITI-57 status change to Deleted. Raises `SoapRefusal` or `RegistryRefusal`."""
    if request.tag != f"{{{ebrim.NS['lcm']}}}SubmitObjectsRequest":
        raise SoapRefusal("DMPInvalidRequest", "SubmitObjectsRequest attendu")
    described = ebrim.read(request)
    lot, links = described.submission_set, described.targets("UpdateAvailabilityStatus")
    if described.documents or len(described.links) != 1 or len(links) != 1:
        raise ebrim.metadata_error("un changement de statut attendu")
    link = links[0]
    if link.source != lot.own_id:
        raise ebrim.metadata_error("source du changement de statut")
    if lot.patient != caller.patient:
        raise RegistryRefusal("XDSPatientIdDoesNotMatch", "patient du lot")
    if registry.has_set(lot.unique_id):
        raise RegistryRefusal("XDSDuplicateUniqueIdInRegistry", f"uniqueId={lot.unique_id}")
    entry = registry.by_entry_uuid(link.target)
    if entry is None:
        raise RegistryRefusal("XDSDocumentUniqueIdError", "document inconnu")
    if link.slots.get("NewStatus") != [DELETED]:
        raise SoapRefusal(_DENIED, "Mode indirect : suppression seulement")
    if link.slots.get("OriginalStatus") != [APPROVED] or entry.status != APPROVED:
        raise ebrim.metadata_error("OriginalStatus")
    if entry.structure != caller.structure:
        raise SoapRefusal(_DENIED, "Document d'une autre structure")
    registry.register(lot.unique_id, (), None)
    registry.set_status(entry.entry_uuid, DELETED)
