"""Refuses evidence that could show a real patient: the matricules it may carry.

Rule: a 15-character number in the shape of a NIR/NIA with a valid key is real-looking. It may
be filed when it is one of `ALLOWED` (public test identities, ins.md §14 and rem.md §11.1), or
when the artefact names a test OID and no production OID. Only readable text is searched: what
is inside a compressed PDF or ZIP is not seen, so give such artefacts fictitious data too.
"""

import re
from typing import Final

ALLOWED: Final = frozenset(
    {"279035121518989", "260058815400233", "255069999999934", "277076322082910"}
    | {"207058575627097", "153078987658513", "297022A02077878", "160012B02077713"}
    | {"180032B02040123", "109076322083489", "109076322088835", "236066322083656"}
    | {"275126322074974", "110086322083060", "253072B07300470", "253072A07300443"}
    | {"284036938300135", "175062A00412773", "268119935002140", "150209935204562"}
    | {"198029924377757", "177067511406674", "255076322031154"}
)
TEST_OIDS: Final = ("1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11")
PRODUCTION_OIDS: Final = re.compile(r"1\.2\.250\.1\.213\.1\.4\.[89](?!\d)")
_MATRICULE: Final = re.compile(
    r"(?<![0-9A-Za-z.])[1-478]\d\d(?:0[1-9]|1[0-2]|[2-4]\d|[5-9]\d)"
    r"(?:\d\d|2[AB])\d{6}\d\d(?![0-9A-Za-z]|\.\d)"
)


class RealLookingMatricule(ValueError):
    """The artefact holds a matricule that is not known to be fictitious (it is not shown)."""


def refuse_real_matricules(data: bytes) -> None:
    """Raise `RealLookingMatricule` when *data* breaks the rule above (rem.md §10.3)."""
    text = data.decode("latin-1")
    if any(oid in text for oid in TEST_OIDS) and not PRODUCTION_OIDS.search(text):
        return
    for found in _MATRICULE.finditer(text):
        if found[0] not in ALLOWED and _key_is_valid(found[0]):
            raise RealLookingMatricule(
                "l'élément de preuve contient un matricule INS qui n'est pas un matricule de test"
            )


def _key_is_valid(matricule: str) -> bool:
    """Key = 97 − (13 digits mod 97), 2A counts as 19 and 2B as 18 (rem.md §11.1)."""
    digits = int(matricule[:13].replace("2A", "19").replace("2B", "18"))
    return 97 - digits % 97 == int(matricule[13:])
