"""Regulated names: the subject of the mail (ECO.2.1.3) and the name of the PDF (ECO.2.1.6).

Pure. Pure ASCII on purpose: hospitals route on the visible prefix (mss.md §9.2).
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import Final

from ris.core.text import ascii_fold
from ris.rem import satisfies

PREFIX: Final = "XDM/1.0/DDM+"
REPLACES: Final = "[Annule et remplace] "
ARCHIVE: Final = "IHE_XDM.zip"
_LABEL_LENGTH: Final = 40
_FORBIDDEN: Final = re.compile(r'[/\\:*?"<>|_\x00-\x1f]')


@satisfies("RIS.MSS.19", "RIS.MSS.22")
def subject(
    labels: Sequence[str],
    family: str,
    given: str,
    birth_date: date | None,
    *,
    replaces: bool = False,
) -> str:
    """Return the subject for documents called *labels* (displayName of their CDA code).

    *family* is the birth name, *given* the first birth given name, *birth_date* may be unknown.
    *replaces* adds the preset mention after the mandatory prefix (mss.md §11).
    """
    what = _label(labels[0]) if len(labels) == 1 else f"{len(labels)} documents"
    fields = [what, ascii_fold(family).upper(), ascii_fold(given)]
    if birth_date is not None:
        fields.append(birth_date.strftime("%d/%m/%Y"))
    return PREFIX + (REPLACES if replaces else "") + _one_line(" ".join(fields))


@satisfies("RIS.DOC.01")
def pdf_name(
    act_date: date, label: str, family: str, given: str, file_number: str | None = None
) -> str:
    """Return `<AAAAMMJJ>_<type>_<NOM>_<prénom>[_<dossier>].pdf`.

    *act_date* is the local date of the act, not of the edition (mss.md §9.5).
    """
    fields = [_label(label), ascii_fold(family).upper(), ascii_fold(given)]
    fields += [ascii_fold(file_number)] if file_number else []
    safe = [_FORBIDDEN.sub("-", field) for field in fields]
    return "_".join([act_date.strftime("%Y%m%d"), *safe]) + ".pdf"


def _label(label: str) -> str:
    return ascii_fold(label)[:_LABEL_LENGTH].strip()


def _one_line(value: str) -> str:
    return re.sub(r"[\r\n]+", " ", value)
