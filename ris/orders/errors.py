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
