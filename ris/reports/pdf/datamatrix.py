"""The datamatrix INS of a printed document: its text and its drawing (ins.md §7.1)."""

from typing import Final

import zxingcpp

from ris.identity.values import Ins
from ris.rem import satisfies
from ris.reports.cda.read import CdaPatient

HEADER: Final = "IS01" + "0" * 22
GS: Final = "\x1d"
_SEXES: Final = {"UN": "I"}


@satisfies("RIS.INS.54", "RIS.DOC.03")
def payload(patient: CdaPatient, ins: Ins) -> str:
    """Return the text of the symbol: header `IS01`, then S1 (matricule) to S7 (birth place)."""
    fields = [
        ("S1", ins.matricule, 15),
        ("S2", ins.oid, 20),
        ("S3", patient.birth_given_names, 100),
        ("S4", patient.birth_family, 100),
        ("S5", _SEXES.get(patient.sex, patient.sex), 1),
        ("S6", f"{patient.birth_date:%d-%m-%Y}", 10),
        ("S7", patient.birth_place, 5),
    ]
    return HEADER + "".join(
        name + value[:longest].upper() + (GS if len(value) < longest else "")
        for name, value, longest in fields
    )


def drawing(text: str) -> str:
    """Return the square ECC 200 symbol of *text*, with its quiet zone, as SVG."""
    symbol = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.DataMatrix, force_square=True)
    return str(symbol.to_svg(add_quiet_zones=True))
