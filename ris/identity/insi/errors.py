"""Why a call of INSi, its answer or a batch of calls will not do (ins.md §11); messages are French.

An act refused whatever INSi says is in `errors.py`.
"""

from typing import Any, Final

from ris.core.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotConfigured,
    NotFound,
    Permanent,
    Transient,
)

_NOTHING: Final[dict[str, Any]] = {}


class InsSexUndetermined(Conflict):
    """INSi knows M and F only (ins.md R-SEX-01)."""

    code = "INS_SEX_UNDETERMINED"
    title = "Sexe indéterminé : appel INSi impossible"


class InsiNameNotSendable(Conflict):
    """A name that INSi would refuse (ins.md §3.2)."""

    code = "INSI_NAME_NOT_SENDABLE"
    title = "Nom ou prénom non accepté par INSi"


class InsiRetrievalUnusable(Conflict):
    """The retrieval is not pending, is of another patient, or of traits changed since."""

    code = "INSI_RETRIEVAL_UNUSABLE"
    title = "Retour INSi inutilisable"


class InsiImportRefused(Conflict):
    """INSi answered 00 and the guards forbid the import (rem.md §9.1). `code` says which."""

    code = "INSI_IMPORT_REFUSED"
    title = "Import de l'INS refusé"


class InsiCallNotFound(NotFound):
    """No call of INSi bears this id."""

    code = "INSI_CALL_NOT_FOUND"
    title = "Appel INSi introuvable"


class InsiMajorDifference(InsiImportRefused):
    """Local and INSi traits differ beyond what the tolerance or the status allows (ruling 7)."""

    code = "INSI_MAJOR_DIFFERENCE"
    title = "Divergence majeure avec les traits INSi"


class InsiVerificationOff(NotConfigured):
    """This installation verifies no INS (setting `identity.insi.verification`)."""

    code = "INSI_VERIFICATION_NOT_CONFIGURED"
    title = "Vérification unitaire INSi non configurée"
    rem = ("RIS.INS.48",)


class InsiBulkOff(NotConfigured):
    """This installation has no bulk verification (setting `identity.insi.bulk`)."""

    code = "INSI_BULK_NOT_CONFIGURED"
    title = "Vérification INSi en masse non configurée"
    rem = ("RIS.INS.48",)


class InsiCardOff(NotConfigured):
    """This installation does not call INSi by card (settings `cpx_endpoint`, `cards`)."""

    code = "INSI_CPX_NOT_CONFIGURED"
    title = "Appel INSi par carte CPx non configuré"
    rem = ("RIS.INS.49",)


class InsiCardRefused(Invalid):
    """The card's certificate or signature will not do; the detail says why."""

    code = "INSI_CPX_REFUSED"
    title = "Carte CPx ou signature refusée"
    rem = ("RIS.INS.49",)


class InsiCallerMissing(Conflict):
    """A link of act → professional → situation → structure is missing (auth.md AUTH-62)."""

    code = "INSI_CALLER_MISSING"
    title = "Structure de l'appel INSi indéterminée"
    rem = ("RIS.AUTH.02",)


class InsiCallerOther(Forbidden):
    """A professional calls in his own practice's name, never in a colleague's."""

    code = "INSI_CALLER_OTHER"
    title = "Appel INSi au nom d'un confrère refusé"
    rem = ("RIS.AUTH.02",)


class BatchNotFound(NotFound):
    """No bulk verification bears this id."""

    code = "INSI_BATCH_NOT_FOUND"
    title = "Lot de vérification INSi introuvable"


class BatchOpen(Conflict):
    """A bulk verification of this structure is under way: extension `batch_id`."""

    code = "INSI_BATCH_OPEN"
    title = "Une vérification en masse est déjà en cours pour cette structure"


class BatchEmpty(Conflict):
    """No identity is due for verification."""

    code = "INSI_BATCH_EMPTY"
    title = "Aucune identité à vérifier"


class BatchNotFailed(Conflict):
    """This bulk verification does not wait for a person."""

    code = "INSI_BATCH_NOT_FAILED"
    title = "Ce lot de vérification n'est pas en échec"


class InsiUnavailable(Transient):
    """INSi cannot answer now: never "no identity found" (ins.md R-ERR-01)."""

    status = 503
    code = "INSI_UNAVAILABLE"
    title = "Téléservice INSi indisponible, poursuivre avec l'identité locale"


class InsiSuspended(InsiUnavailable):
    """INSi failed again and again: no call leaves before the instant in extension `retry_at`."""

    code = "INSI_SUSPENDED"
    title = "Appels INSi suspendus après plusieurs pannes, poursuivre avec l'identité locale"


class InsiRefused(Permanent):
    """INSi, or what it answered, will not do. *returned*: the answer as it came, to be kept."""

    returned: dict[str, Any] = _NOTHING


class InsiFault(InsiRefused):
    """INSi refused the call, or gave an answer nobody knows (ins.md §5.5)."""

    code = "INSI_FAULT"
    title = "INSi a refusé l'appel, contacter l'assistance"


class InsiIncomplete(InsiRefused):
    """INSi answered 00 without an essential element (ins.md R-INSI-06)."""

    code = "INSI_INCOMPLETE"
    title = "Réponse INSi incomplète"


def kept(error: InsiRefused, returned: dict[str, Any]) -> InsiRefused:
    """Return *error* bearing the answer; not an extension: those go to the caller over HTTP."""
    error.returned = returned
    return error
