"""Why an act on an identity is refused. Codes are those of ins.md §11; messages are French.

What INSi or a call of it refuses is in `insi/errors.py`.
"""

from ris.core.errors import Conflict, Forbidden, Invalid, NotFound


class PatientNotFound(NotFound):
    """No patient bears this id."""

    code = "PATIENT_NOT_FOUND"
    title = "Patient introuvable"


class PatientMerged(Conflict):
    """The record was absorbed by another: extension `survivor_id` names it."""

    code = "PATIENT_MERGED"
    title = "Ce dossier a été fusionné dans un autre"


class ContractExists(Conflict):
    """A trust contract with this sender is already in force."""

    code = "TRUST_CONTRACT_EXISTS"
    title = "Un contrat de confiance est déjà en vigueur avec cet émetteur"
    rem = ("RIS.INS.39",)


class ContractNotFound(NotFound):
    """No trust contract in force bears this id."""

    code = "TRUST_CONTRACT_NOT_FOUND"
    title = "Contrat de confiance introuvable ou terminé"


class ForeignNotFound(NotFound):
    """No verification of a received INS, or no held data, bears this id."""

    code = "FOREIGN_NOT_FOUND"
    title = "Identité reçue introuvable"


class ForeignDataDecided(Conflict):
    """The held data no longer wait for a decision."""

    code = "FOREIGN_DATA_DECIDED"
    title = "Ces données n'attendent plus de décision"
    rem = ("RIS.INS.47",)


class MergeRefused(Conflict):
    """These records cannot be merged, or parted, as asked."""

    code = "MERGE_REFUSED"
    title = "Fusion impossible"


class MergeInsConflict(Conflict):
    """Two different INS that INSi does not link: two persons, until proved otherwise (R-MRG-01)."""

    code = "MERGE_INS_CONFLICT"
    title = "Fusion impossible : les deux dossiers portent des INS différentes"


class MergeDataConflict(Conflict):
    """Both records hold something that a patient has once (refusals…): a person must settle it."""

    code = "MERGE_DATA_CONFLICT"
    title = "Fusion impossible : données propres aux deux dossiers à harmoniser d'abord"


class CollisionExists(Conflict):
    """A collision of this record is already under inquiry."""

    code = "COLLISION_EXISTS"
    title = "Une collision est déjà signalée sur ce dossier"


class CollisionNotFound(NotFound):
    """No collision bears this id."""

    code = "COLLISION_NOT_FOUND"
    title = "Collision introuvable"


class CollisionSettled(Conflict):
    """Someone has ruled on this collision."""

    code = "COLLISION_SETTLED"
    title = "Cette collision est déjà tranchée"


class OutboxNotFailed(Conflict):
    """This propagation message does not wait for a person."""

    code = "OUTBOX_NOT_FAILED"
    title = "Ce message n'est pas en échec"


class RiIsExternal(Forbidden):
    """Another system is the identity repository of this domain (ins.md R-PAM-04, ruling 13)."""

    code = "RI_IS_EXTERNAL"
    title = "Le référentiel d'identités est un autre logiciel : l'identité se corrige là-bas"


class DegradedNotNeeded(Invalid):
    """This software is the identity repository: it has no degraded mode of creation."""

    code = "DEGRADED_NOT_NEEDED"
    title = "Ce site est le référentiel d'identités : créer l'identité normalement"


class TransitionRefused(Conflict):
    """The status machine has no such transition (rem.md §9.1)."""

    code = "IDENTITY_TRANSITION_REFUSED"
    title = "Changement de statut d'identité impossible"


class InsAttributeBlocks(Conflict):
    """Douteuse or fictive: no INSi call, no status but provisoire (RIS.INS.28)."""

    code = "INS_ATTRIBUTE_BLOCKS"
    title = "Identité douteuse ou fictive : opération impossible"
    rem = ("RIS.INS.28",)


class AttributeConflict(Conflict):
    """Two attributes that exclude each other (ins.md R-ATT-01), or one already as asked."""

    code = "IDENTITY_ATTRIBUTE_CONFLICT"
    title = "Attributs d'identité incompatibles"


class TraitsRefused(Invalid):
    """Traits that break the entry rules; extension `errors` lists `{pointer, code, message}`."""

    code = "TRAITS_REFUSED"
    title = "Traits d'identité refusés"
    rem = ("RIS.INS.01",)


class FirstGivenNotInList(Invalid):
    """The first given name does not begin the birth given-name list (ins.md R-PRE-01)."""

    code = "FIRST_GIVEN_NOT_IN_LIST"
    title = "Le premier prénom ne correspond pas au début de la liste des prénoms"
    rem = ("RIS.INS.14",)


class TraitsLocked(Forbidden):
    """Strict traits of a récupérée or qualifiée identity: super-user only (RIS.INS.29)."""

    code = "IDENTITY_TRAITS_LOCKED"
    title = "Traits stricts verrouillés"
    rem = ("RIS.INS.29",)


class ReasonRequired(Invalid):
    """This act asks for a written reason."""

    code = "REASON_REQUIRED"
    title = "Motif obligatoire"


class DocumentRefused(Invalid):
    """The identity document is off the site's list, or cannot support a validation (INS.19)."""

    code = "IDENTITY_DOCUMENT_REFUSED"
    title = "Pièce d'identité non recevable"
    rem = ("RIS.INS.19",)


class DocumentExpired(Invalid):
    """An expired identity document may be recorded and never validates an identity (INS.19)."""

    code = "DOCUMENT_EXPIRED"
    title = "Pièce d'identité expirée"
    rem = ("RIS.INS.19",)


class ValidationRight(Forbidden):
    """The caller may record a document, not validate an identity."""

    code = "IDENTITY_VALIDATION_RIGHT"
    title = "Droit de validation d'identité requis"


class DocumentCheckStale(Conflict):
    """The document on record saw other traits than today's (ins.md R-STA-03, ruling 2)."""

    code = "DOCUMENT_CHECK_STALE"
    title = "La pièce d'identité doit être contrôlée à nouveau"


class InsKeyInvalid(Invalid):
    """A matricule of the wrong shape or with a wrong key (ins.md R-MAT-01)."""

    code = "INS_KEY_INVALID"
    title = "Matricule INS invalide"
    rem = ("RIS.INS.08",)


class InsOidUnknown(Invalid):
    """An OID that is no authority of the INS (ins.md R-OID-01)."""

    code = "INS_OID_UNKNOWN"
    title = "Autorité du matricule INS inconnue"


class InsTestOid(Invalid):
    """A test or demonstration OID in production (ins.md R-OID-02)."""

    code = "INS_TEST_OID"
    title = "INS de test refusée en production"


class DatamatrixHeader(Invalid):
    """The text does not begin as a datamatrix INS does."""

    code = "DMX_HEADER"
    title = "Ce code n'est pas un datamatrix INS"


class DatamatrixVersion(Invalid):
    """A version of the datamatrix INS that this software does not read."""

    code = "DMX_VERSION"
    title = "Version de datamatrix INS inconnue"


class DatamatrixField(Invalid):
    """A field is unknown, given twice or cut; extension `position` says where (characters)."""

    code = "DMX_FIELD"
    title = "Datamatrix INS illisible : vérifiez que le lecteur transmet les séparateurs"


class DatamatrixIncomplete(Invalid):
    """A field without which it is no INS is missing; extension `fields` names them."""

    code = "DMX_INCOMPLETE"
    title = "Datamatrix INS incomplet"


class DatamatrixNotFound(Invalid):
    """No datamatrix on the page."""

    code = "DMX_NOT_FOUND"
    title = "Aucun datamatrix trouvé sur cette page"


class DatamatrixSeveral(Invalid):
    """Two datamatrix INS that say different things on one paper."""

    code = "DMX_SEVERAL"
    title = "Plusieurs identités sur cette page : lire le bon code avec une douchette"


class ScanTooLarge(Invalid):
    """The file is over the size cap."""

    status = 413
    code = "SCAN_TOO_LARGE"
    title = "Fichier trop volumineux"


class ScanTooDetailed(Invalid):
    """More pixels than a scanned page has."""

    status = 413
    code = "SCAN_TOO_DETAILED"
    title = "Image trop grande : 40 millions de points au plus"


class ScanTypeRefused(Invalid):
    """The first bytes are not those of a type that is read."""

    status = 415
    code = "SCAN_TYPE_REFUSED"
    title = "Une page numérisée est une image PNG ou JPEG, ou un PDF"


class ScanUnreadable(Invalid):
    """The file is cut, broken, or no scan."""

    code = "SCAN_UNREADABLE"
    title = "Image illisible"


class SearchTooBroad(Invalid):
    """Neither a birth date, nor a matricule, nor an IPP (ruling 9)."""

    code = "SEARCH_TOO_BROAD"
    title = "La recherche demande la date de naissance, l'IPP ou le matricule INS"
    rem = ("RIS.INS.07",)


class SearchTooNarrow(Invalid):
    """More letters than the site allows (ins.md R-SRC-01)."""

    code = "SEARCH_TOO_NARROW"
    title = "Trop de lettres saisies pour la recherche"


class InsAlreadyAttached(Conflict):
    """Another patient of this domain bears the same INS (ins.md R-DUP-01)."""

    code = "INS_ALREADY_ATTACHED"
    title = "Cette INS est déjà portée par un autre dossier"
