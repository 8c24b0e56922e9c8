"""Why a FHIR request is refused before any rule of identity is asked. Titles are French."""

from ris.core.errors import Invalid, RisError


class BadRequest(RisError):
    """The request itself is not understood; `code` says what of it."""

    status = 400
    code = "FHIR_BAD_REQUEST"
    title = "Requête FHIR incorrecte"


class BadParameter(RisError):
    """A search parameter that is unknown, repeated, or used in a way this server has not."""

    status = 400
    code = "FHIR_PARAMETER"
    title = "Paramètre de recherche non pris en charge"


class NotAcceptable(RisError):
    """The caller wants another format than JSON."""

    status = 406
    code = "FHIR_NOT_ACCEPTABLE"
    title = "Seul le format JSON est servi (application/fhir+json)"


class UnsupportedMedia(RisError):
    """The body is in a format that this server does not read."""

    status = 415
    code = "FHIR_MEDIA_TYPE"
    title = "Type de contenu non pris en charge"


class ClientId(RisError):
    """No record has this id, and ids are issued here: a PUT does not create."""

    status = 405
    code = "FHIR_CLIENT_ID"
    title = "Un dossier ne se crée pas sous un identifiant choisi par l'appelant"


class SeveralMatches(RisError):
    """A conditional create whose criteria several records meet."""

    status = 412
    code = "FHIR_SEVERAL_MATCHES"
    title = "Plusieurs dossiers répondent aux critères de la création conditionnelle"


class NotKept(Invalid):
    """The resource says something that a record cannot hold: refused, never dropped in silence."""

    code = "FHIR_ELEMENT_NOT_KEPT"
    title = "Élément que le dossier ne conserve pas"


class ReadOnly(Invalid):
    """The resource changes what only this server writes (IPP, attributes, links…)."""

    code = "FHIR_READ_ONLY"
    title = "Élément tenu par le serveur, non modifiable"


class StatusComputed(Invalid):
    """The status of an identity is computed, never set by a caller (ins.md R-STA-01)."""

    code = "IDENTITY_STATUS_COMPUTED"
    title = "Le statut d'identité est calculé, il ne se fixe pas"


class InsNotQualified(Invalid):
    """An INS with another status than qualifiée (ins.md R-FHIR-02)."""

    code = "INS_NOT_QUALIFIED"
    title = "Matricule INS reçu avec une identité non qualifiée"


class InsNotAccepted(Invalid):
    """An INS given by a caller: it comes from INSi or a trusted feed only (ins.md R-MAT-04)."""

    code = "INS_NOT_ACCEPTED"
    title = "Le matricule INS ne se saisit pas"


class InsInAddress(Invalid):
    """A matricule in a URL, where logs and histories would keep it (ins.md trap T11)."""

    code = "INS_IN_ADDRESS"
    title = "Le matricule INS ne se met pas dans une adresse"
