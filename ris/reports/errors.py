"""Errors of the reports, over `ris.core.errors`. Titles and details are French."""

from ris.core.errors import Conflict, Forbidden, Invalid, NotFound


class ReportNotFound(NotFound):
    """No such report, version or artefact."""

    code = "REPORT_NOT_FOUND"
    title = "Compte rendu introuvable"


class IllegalTransition(Conflict):
    """The report machine does not allow this act in this state."""

    code = "REPORT_STATE"
    title = "Action impossible dans l'état actuel du compte rendu"


class ReportExists(Conflict):
    """The exam already has a live report."""

    code = "REPORT_EXISTS"
    title = "Un compte rendu existe déjà pour cet examen"


class NotWritable(Conflict):
    """The version being written does not accept this change (signed, or addendum only)."""

    code = "REPORT_NOT_WRITABLE"
    title = "Compte rendu non modifiable"


class ContentRefused(Invalid):
    """The content cannot become a document: `errors` lists `{pointer, code, message, rem}`."""

    code = "REPORT_CONTENT"
    title = "Compte rendu incomplet ou incohérent"


class DocumentInvalid(Invalid):
    """The built document does not pass the official schema; `errors` lists the findings."""

    code = "CDA_INVALID"
    title = "Document CDA non conforme"


class NotAReport(Invalid):
    """The bytes are not a CDA imaging report that can be read."""

    code = "CDA_UNREADABLE"
    title = "Document CDA illisible"


class AuthorWithoutStructure(Forbidden):
    """The signer acts for no structure: the document would have no author institution."""

    code = "AUTHOR_WITHOUT_STRUCTURE"
    title = "Choisissez la structure pour laquelle vous signez"
