"""Errors of the DMP feature: stable codes of dmp.md §4 and §8, French words for staff.

No exception text ever holds a name, a matricule or the DMP's own free text.
"""

from ris.core.errors import Conflict, Held, Invalid, NotFound, Permanent, Transient


class BlockedIns(Held):
    """The document carries no qualified INS (gate G2)."""

    code = "BLOCKED_INS"
    title = "Identité non qualifiée : envoi au DMP en attente"


class NoDmp(Held):
    """TD0.2 found no DMP for this patient (gate G5)."""

    code = "NO_DMP"
    title = "Le patient n'a pas de DMP"


class DmpClosed(Held):
    """The DMP exists and is not active (gate G5)."""

    code = "DMP_CLOSED"
    title = "Le DMP du patient est fermé"


class InsMismatch(Held):
    """TD0.2 answered about somebody else: nothing is sent."""

    code = "INS_MISMATCH"
    title = "Le DMP a répondu pour un autre identifiant"


class ConfigMissing(Held):
    """A link of act → radiologist → structure → certificate is missing (gate G6, AUTH-62)."""

    code = "CONFIG_MISSING"
    title = "Paramétrage DMP incomplet"


class CertificateRefused(Held):
    """A certificate of the site is expired, of the wrong kind or refused by the DMP."""

    code = "DMP_CERTIFICATE"
    title = "Certificat refusé par le DMP"


class VisibilityInvalid(Held):
    """The restrictions chosen do not make sense for this patient (gate G7)."""

    code = "VISIBILITY_INVALID"
    title = "Visibilité choisie incohérente"


class WrongDomain(Permanent):
    """A test INS on a production profile, or the converse (dmp.md §5.2)."""

    code = "INS_DOMAIN"
    title = "Domaine d'INS incompatible avec l'environnement"


class CdaInvalid(Permanent):
    """The document's header lacks what the DMP needs (gate G1)."""

    code = "CDA_INVALID"
    title = "Document incomplet pour le DMP"


class ReplacedNotFound(Permanent):
    """The version to replace or delete is not in the DMP."""

    code = "REPLACED_NOT_FOUND"
    title = "La version précédente est introuvable dans le DMP"


class NotSupported(Permanent):
    """The operation does not exist in this authentication mode (dmp.md §3)."""

    code = "DMP_OPERATION_NOT_SUPPORTED"
    title = "Opération impossible dans ce mode d'authentification"


class DmpRefused(Permanent):
    """The DMP said no; `remote_code` is its own code."""

    code = "DMP_REFUSED"
    title = "Refus du DMP"


class DmpBusy(Transient):
    """The DMP asked to come back later."""

    code = "DMP_BUSY"
    title = "Le DMP est momentanément indisponible"


class OppositionExists(Conflict):
    """An opposition of the same scope is already recorded."""

    code = "OPPOSITION_EXISTS"
    title = "Opposition déjà enregistrée"


class OppositionNotFound(NotFound):
    """No such opposition, or it is already lifted."""

    code = "OPPOSITION_NOT_FOUND"
    title = "Opposition introuvable"


class OppositionIncomplete(Invalid):
    """A report opposition without its report, or without a reason."""

    code = "OPPOSITION_INCOMPLETE"
    title = "Opposition incomplète"
