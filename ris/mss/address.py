"""Whose mailbox: the patient's address and the choice of a professional's mailbox.

Pure rules. The directory that gives the candidates is in `ris.auth`; no name is ever a criterion.
"""

from collections.abc import Callable, Iterable
from typing import Final

from ris.auth.directory.values import Mailbox
from ris.identity import matricule
from ris.identity.rules import ins_to_output
from ris.identity.values import NIA, NIR, NIR_DEMO, NIR_TEST, PatientIdentity
from ris.mss.errors import AmbiguousAddress, NoAddress, PatientAddressRefused
from ris.rem import satisfies

PATIENT_DOMAIN: Final = "patient.mssante.fr"
_REAL: Final = frozenset({NIR, NIA})
_TEST: Final = frozenset({NIR_TEST, NIR_DEMO})
_ORDER: Final = ("PER", "CAB", "ORG")  # TRE_R257; an application mailbox is read by no one


@satisfies("RIS.MSS.12")
def patient_address(identity: PatientIdentity, *, test_mode: bool = False) -> str:
    """Return `<matricule>@patient.mssante.fr`.

    *test_mode* also accepts the test and demonstration OIDs. Raises `PatientAddressRefused` with
    `INS_NOT_QUALIFIED`, `OID_NOT_ALLOWED`, `BAD_LENGTH` or `BAD_KEY` (mss.md §8).
    """
    ins = ins_to_output(identity)
    if ins is None:
        raise PatientAddressRefused(
            "L'identité du patient n'est pas qualifiée : aucun message ne part vers Mon espace "
            "santé. Qualifiez l'identité puis renvoyez le compte rendu.",
            code="INS_NOT_QUALIFIED",
        )
    if ins.oid not in (_REAL | _TEST if test_mode else _REAL):
        raise PatientAddressRefused(
            "L'autorité d'affectation de l'INS n'est pas admise ici.", code="OID_NOT_ALLOWED"
        )
    if len(ins.matricule) != 15:
        raise PatientAddressRefused("Matricule INS incomplet.", code="BAD_LENGTH")
    if not matricule.is_valid(ins.matricule):
        raise PatientAddressRefused("Clé du matricule INS erronée.", code="BAD_KEY")
    return f"{ins.matricule}@{PATIENT_DOMAIN}"


@satisfies("RIS.ANN.05")
def choose_mailbox(
    rpps: str,
    candidates: Iterable[Mailbox],
    *,
    allowed: Callable[[str], bool],
    ordering_structure: str | None = None,
) -> Mailbox:
    """Return the mailbox to use for the professional *rpps* (mss.md §7.2).

    *allowed* is the white list; *ordering_structure* the Struct_IdNat of the site that asked.
    Raises `NoAddress` when nothing is usable and `AmbiguousAddress` on a tie.
    """
    usable = [
        one
        for one in candidates
        if _kind(one) in _ORDER
        and not one.red_list
        and _belongs(one, rpps, ordering_structure)
        and allowed(one.address.rpartition("@")[2])
    ]
    if not rpps or not usable:
        raise NoAddress("Aucune messagerie MSSanté utilisable dans l'annuaire.")
    best = min(_key(one, ordering_structure) for one in usable)
    first, *others = [one for one in usable if _key(one, ordering_structure) == best]
    if any(one.address.lower() != first.address.lower() for one in others):
        raise AmbiguousAddress("Choisissez la messagerie à utiliser pour ce professionnel.")
    return first


def _belongs(one: Mailbox, rpps: str, structure: str | None) -> bool:
    """A mailbox without owner serves only the very structure that asked."""
    return one.rpps == rpps or (
        one.rpps is None and structure is not None and one.struct_idnat == structure
    )


def _kind(one: Mailbox) -> str:
    """The kind, guessed prudently when the directory is silent: what has no owner is not used."""
    return one.kind or ("PER" if one.rpps else "APP")


def _key(one: Mailbox, structure: str | None) -> tuple[bool, int, int]:
    elsewhere = structure is None or one.struct_idnat != structure
    return elsewhere, _ORDER.index(_kind(one)), one.rank or 1_000
