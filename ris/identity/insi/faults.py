"""Faults of INSi, told apart: what may be tried again, what needs somebody, what to tell staff.

Transport and SOAP only (ins.md §5.5). A fault never becomes an answer (R-ERR-01).
"""

from typing import Final

from ris.core.errors import RemoteError
from ris.core.soap import SoapFault, body_of
from ris.core.xml import Element, UnsafeXml
from ris.identity.insi.errors import InsiFault, InsiUnavailable

SIRAM: Final = "urn:siram"
_LATER: Final = frozenset({"insi_102"})
_THEIRS: Final = frozenset({"Receiver", "Server", "NoBody", ""})
_TOLD: Final = {
    "desir_550": "Numéro d'autorisation du logiciel inconnu d'INSi : contacter l'éditeur.",
    "desir_560": "Niveau d'accès insuffisant (certificat INSi) : contacter l'éditeur.",
}


def outage(error: RemoteError) -> RemoteError:
    """Return our error for a call that brought no answer: try later, or call for help."""
    code = error.remote_code or ""
    if code == "TLS":
        return InsiFault("Certificat refusé par INSi ou d'INSi.", remote_code=code)
    if code == "TOO_LARGE":
        return InsiFault("Réponse INSi anormalement longue.", remote_code=code)
    return InsiUnavailable(remote_code=code)


def body(status: int, content: bytes) -> Element:
    """Return the SOAP body of an answer; raises `InsiFault` or `InsiUnavailable`."""
    try:
        return body_of(content)
    except SoapFault as fault:
        raise _refusal(fault) from fault
    except UnsafeXml as error:
        code = f"HTTP_{status}"
        if 400 <= status < 500:
            raise InsiFault(remote_code=code) from error
        raise InsiUnavailable(remote_code=code) from error


def _refusal(fault: SoapFault) -> RemoteError:
    """Return the error of a fault: `siram_NNN/insi_NNN`, `Receiver` later, the others never."""
    detail = fault.detail_element
    found = detail.find(f"{{{SIRAM}}}Erreur") if detail is not None else None
    code = found.get("code", "") if found is not None else ""
    remote = "/".join(part for part in (*fault.subcodes, code) if part) or fault.fault_code
    if code in _LATER or fault.fault_code in _THEIRS:
        return InsiUnavailable(remote_code=remote)
    known = next((_TOLD[one] for one in (code, *fault.subcodes) if one in _TOLD), "")
    return InsiFault(known or f"Refus d'INSi, code {remote}.", remote_code=remote)
