"""Why an act on a copy of an identity document is refused. Never a trait, never a byte of it."""

from typing import ClassVar

from ris.core.errors import Conflict, Forbidden, Invalid, NotFound


class CopiesDisabled(Forbidden):
    """The site did not enable the profile (LOC-CNI-01)."""

    code = "ID_COPIES_DISABLED"
    title = "Stockage des copies de titres d'identité non activé"
    rem = ("RIS.INS.58",)

    def __init__(self) -> None:
        super().__init__(
            "Le profil « Stockage des copies de titres d'identité » n'est pas activé sur ce site :"
            " seul le type du titre présenté est conservé."
        )


class CopyTooLarge(Invalid):
    """The copy is over the size cap."""

    status: ClassVar[int] = 413
    code = "ID_COPY_TOO_LARGE"
    title = "Copie trop volumineuse"


class CopyTypeRefused(Invalid):
    """The first bytes are not those of an accepted type, or not those of the declared type."""

    status: ClassVar[int] = 415
    code = "ID_COPY_TYPE_REFUSED"
    title = "Une copie est une image JPEG, une image PNG ou un PDF"


class CopyDocumentUnknown(Invalid):
    """A copy goes with a document recorded for this patient, and there is none of this id."""

    code = "ID_COPY_DOCUMENT_UNKNOWN"
    title = "Aucun titre présenté ne correspond à cette copie"


class CopyNotFound(NotFound):
    """This patient has no copy of this id."""

    code = "ID_COPY_NOT_FOUND"
    title = "Copie introuvable"


class CopyGone(NotFound):
    """The copy was erased, or its retention is over and it is about to be."""

    status: ClassVar[int] = 410
    code = "COPY_RETENTION"
    title = "Copie supprimée à la fin de sa durée de conservation ou sur demande"
    rem = ("RIS.INS.58",)


class CopyLocked(Conflict):
    """A douteuse or fictive identity: its copies are not shown (ins.md R-CPY-08)."""

    code = "ID_COPY_LOCKED"
    title = "Identité douteuse ou fictive : copie non consultable"
