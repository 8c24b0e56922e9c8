"""Keys and kinds of national identifiers, on the official vectors and our own."""

import csv
from pathlib import Path

import pytest

from ris.auth.identifiers import (
    PersonKind,
    StructureKind,
    build_rang,
    check_rang,
    is_rpps,
    luhn,
    person,
    structure,
)


def test_every_official_rang_gets_its_verdict(conformance: Path) -> None:
    with (conformance / "psc" / "rpps_rang.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 14
    assert {r["value"]: check_rang(r["value"]) for r in rows} == {
        r["value"]: r["verdict"] for r in rows
    }


def test_every_official_struct_idnat_gets_its_type(conformance: Path) -> None:
    with (conformance / "psc" / "struct_idnat.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            read = structure(row["struct_idnat"])
            assert (read.kind, read.raw) == (row["type"], row["raw"])


@pytest.mark.parametrize(
    ("ps_idnat", "kind", "rpps"),
    [
        ("899700993001", PersonKind.RPPS, "99700993001"),
        ("899700993002", PersonKind.UNKNOWN, None),
        ("500000000993014/CPET00007", PersonKind.SIRET_INTERNAL, None),
        ("ANS20990101000000", PersonKind.UNKNOWN, None),
        ("d2c6b2a4-83a1-4d4b-94e8-000000000000", PersonKind.UNKNOWN, None),
        ("0759900017", PersonKind.ADELI, None),
    ],
)
def test_a_ps_idnat_is_typed_and_never_refused(
    ps_idnat: str, kind: PersonKind, rpps: str | None
) -> None:
    assert person(ps_idnat) == (kind, rpps)


@pytest.mark.parametrize(
    ("rpps", "order", "rang"),
    [
        ("99700993001", 0, "99700993001004"),
        ("99700993019", 1, "99700993019014"),
        ("10005531586", 0, "10005531586003"),
    ],
)
def test_the_key_of_a_rang_is_over_its_thirteen_digits(rpps: str, order: int, rang: str) -> None:
    assert build_rang(rpps, order) == rang
    assert luhn(rang)
    assert not luhn(f"4{rang}")


def test_rpps_keys_are_checked() -> None:
    assert is_rpps("99700993019")
    assert not is_rpps("99700993018")
    assert not is_rpps("١٢٣٤٥٦٧٨٩٠١")


def test_a_structure_says_whose_cabinet_it_is() -> None:
    read = structure("499700993019014")
    assert (read.kind, read.valid, read.owner_rpps) == (
        StructureKind.RPPS_RANG, True, "99700993019",
    )  # fmt: skip
    assert not structure("499700993019015").valid
    assert not structure("R990103").valid
