"""What may go wrong with an order or an exam, for the secretary and for the machine."""

from ris.core.errors import Conflict, Invalid


class ExamTransitionRefused(Conflict):
    """The event is not allowed in the exam's present status (workflow.md §4.1)."""

    code = "EXAM_TRANSITION_REFUSED"
    title = "Changement de statut impossible"


class StudyMismatch(Conflict):
    """The images do not carry the identifiers that this RIS issued; never filed silently."""

    code = "STUDY_MISMATCH"
    title = "Images non rattachables à cet examen"


class CodesRefused(Invalid):
    """Codes no report could carry; extension `errors` lists `{pointer, code, message}`."""

    code = "ORDER_CODES_REFUSED"
    title = "Codes de l'examen refusés"


class ExamNotCompleted(Conflict):
    """A report is signed only once the exam took place, whole or interrupted."""

    code = "EXAM_NOT_COMPLETED"
    title = "Examen non terminé"


class UnknownRequester(Invalid):
    """The requesting professional is not in the Annuaire Santé under that RPPS."""

    code = "REQUESTER_UNKNOWN"
    title = "Prescripteur introuvable dans l'Annuaire Santé"
    rem = ("RIS.ANN.05",)


class AddressNotListed(Invalid):
    """The MSSanté address given is not one the directory lists for that professional."""

    code = "MSS_ADDRESS_NOT_LISTED"
    title = "Adresse MSSanté inconnue pour ce professionnel"
    rem = ("RIS.ANN.05",)
