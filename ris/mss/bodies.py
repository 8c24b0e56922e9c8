"""The French texts of the mails. Pure; no result, no diagnosis, no matricule (mss.md §9.4)."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from ris.rem import satisfies


class Purpose(StrEnum):
    """Why the message is sent."""

    INITIAL = "INITIAL"
    REPLACE = "REPLACE"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the texts may say: names as read by people, dates already local."""

    patient: str
    exam: str
    exam_date: date
    radiologist: str
    centre: str
    phone: str = ""
    previous: date | None = None


@satisfies("RIS.MSS.15", "RIS.MSS.16")
def for_professional(facts: Facts, purpose: Purpose) -> str:
    """Return the text to a professional."""
    if purpose is Purpose.DELETE:
        core = (
            f"{_mention(facts, purpose)}Le compte rendu de l'examen « {facts.exam} » du "
            f"{_day(facts.exam_date)} concernant {facts.patient} a été supprimé par son auteur. "
            "Merci de supprimer le document reçu précédemment, rappelé en pièce jointe."
        )
    else:
        core = (
            f"{_mention(facts, purpose)}Veuillez trouver en pièce jointe le compte rendu de "
            f"l'examen « {facts.exam} » réalisé le {_day(facts.exam_date)} pour {facts.patient}."
        )
    return _letter("Chère consœur, cher confrère,", core, facts, "Confraternellement,")


@satisfies("RIS.MSS.22")
def for_patient(facts: Facts, purpose: Purpose) -> str:
    """Return the text to the patient, in plain language."""
    if purpose is Purpose.DELETE:
        core = (
            f"Le compte rendu de votre examen du {_day(facts.exam_date)} a été supprimé. Merci de "
            "ne plus tenir compte du document reçu précédemment."
        )
    else:
        core = (
            f"{_mention(facts, purpose)}Le compte rendu de votre examen du "
            f"{_day(facts.exam_date)} est joint à ce message. Pour toute question, adressez-vous "
            "au médecin qui a demandé l'examen ou au centre d'imagerie."
        )
    return _letter("Bonjour,", core, facts, "Cordialement,")


@satisfies("RIS.MSS.11")
def application_notice(reply_to: str) -> str:
    """Return the last paragraph of a mail that leaves from an application mailbox."""
    return (
        "Ce message a été généré automatiquement par une boîte applicative. Pour nous joindre par "
        f"MSSanté, écrivez à {reply_to}.\n"
    )


def _mention(facts: Facts, purpose: Purpose) -> str:
    if purpose is Purpose.INITIAL:
        return ""
    verb = "annule et remplace" if purpose is Purpose.REPLACE else "annule"
    previous = f"celui du {_day(facts.previous)}" if facts.previous else "le précédent"
    return f"Ce message {verb} {previous}.\n\n"


def _letter(opening: str, core: str, facts: Facts, closing: str) -> str:
    phone = f"\nTéléphone : {facts.phone}" if facts.phone else ""
    return f"{opening}\n\n{core}\n\n{closing}\n{facts.radiologist}\n{facts.centre}{phone}\n"


def _day(day: date) -> str:
    return day.strftime("%d/%m/%Y")
