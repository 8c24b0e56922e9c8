"""The identity banner of every patient screen: which traits, under which French label. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ris.identity.matricule import nature_of
from ris.identity.values import Ins, Traits
from ris.rem import satisfies


class BannerField(StrEnum):
    """What a site may add to the four traits that are always shown."""

    BIRTH_GIVEN_NAMES = "birth_given_names"
    USED_FAMILY = "used_family"
    USED_GIVEN = "used_given"
    BIRTH_PLACE = "birth_place"
    INS = "ins"


@dataclass(frozen=True, slots=True)
class BannerLine:
    """One labelled trait, ready to read."""

    field: str
    label: str
    value: str


_ALWAYS: Final = ("birth_family", "first_birth_given", "birth_date", "sex")
LABELS: Final = {
    "birth_family": "Nom de naissance",
    "first_birth_given": "Premier prénom de naissance",
    "birth_given_names": "Prénoms de naissance",
    "used_family": "Nom utilisé",
    "used_given": "Prénom utilisé",
    "birth_date": "Date de naissance",
    "sex": "Sexe",
    "birth_place": "Lieu de naissance (code INSEE)",
    "ins": "Matricule INS",
}


@satisfies("RIS.INS.02")
def banner(
    traits: Traits, ins: Ins | None, extra: Collection[BannerField]
) -> tuple[BannerLine, ...]:
    """Return the banner in display order (ins.md R-DSP-02).

    *ins* has passed the output gate (`rules.ins_to_output`) and is followed by its nature; *extra*
    is the site's choice, never the user's. Optional traits without a value are left out.
    """
    values = {
        "birth_family": traits.birth_family,
        "first_birth_given": traits.first_birth_given,
        "birth_given_names": " ".join(traits.birth_given_names),
        "used_family": traits.used_family,
        "used_given": traits.used_given,
        "birth_date": f"{traits.birth_date:%d/%m/%Y}",
        "sex": traits.sex.value,
        "birth_place": traits.birth_place,
        "ins": f"{ins.matricule} {nature_of(ins)}" if ins else "",
    }
    return tuple(
        BannerLine(field, label, values[field])
        for field, label in LABELS.items()
        if field in _ALWAYS or (field in extra and values[field])
    )
