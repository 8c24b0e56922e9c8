"""Which combinations of masking flags and MSSanté destinations may leave (ANS matrix, mss.md §7.1).

Pure. The sending decision itself is `ris.diffusion.decision`; this is the last net.
"""

from ris.reports.content import Visibility


def accepted(
    visibility: frozenset[Visibility],
    *,
    to_professionals: bool,
    to_patient: bool,
    strict: bool = False,
) -> bool:
    """Say whether documents with *visibility* may go to these recipients.

    A professional mail needs an unmasked document, a patient mail one that the patient may see.
    *strict* is the literal reading of the ANS matrix: {unmasked, visible} goes to both or to the
    patient alone, {unmasked, invisible} to professionals alone, never with a guardian mask.
    """
    masked = Visibility.HIDDEN_FROM_PROFESSIONALS in visibility
    invisible = Visibility.HIDDEN_FROM_PATIENT in visibility
    guardians = Visibility.HIDDEN_FROM_GUARDIANS in visibility
    if not (to_professionals or to_patient):
        return False
    if (to_professionals and masked) or (to_patient and invisible):
        return False
    if guardians and to_professionals and to_patient:
        return False
    if strict and to_professionals and not to_patient:
        return invisible and not guardians
    return True
