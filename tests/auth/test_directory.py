"""Correspondents and their mailboxes, from the Annuaire Santé's answers and from our table."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from ris.auth import accounts
from ris.auth.directory import fhir
from ris.auth.directory.service import Directory
from ris.auth.model import Account, DirectoryRecord
from ris.auth.rights import Role
from ris.auth.settings import AnnuaireSettings
from ris.core.db import Database
from ris.core.errors import Invalid, NotConfigured, Transient
from ris.rem.evidence import Evidence
from ris.sandbox.annuaire import REQUESTER_ADDRESS, WITHOUT_MAILBOX, Annuaire
from ris.sandbox.psc_people import REQUESTER

AT = datetime(2026, 1, 1, tzinfo=UTC)
RPPS = REQUESTER.ps_idnat[1:]


@pytest.fixture
def directory(
    database: Database, annuaire: tuple[Annuaire, AnnuaireSettings]
) -> Iterator[Directory]:
    """The directory before the sandbox Annuaire."""
    made = Directory.build(annuaire[1], database=database)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("practitioner-one-per", [(None, 1)]),
        ("practitioner-two-per-rank", [("PER", 2), ("PER", 1)]),
        ("practitioner-per-and-cab", [("CAB", None), ("PER", None)]),
        ("practitioner-tie", [("PER", None), ("PER", None)]),
        ("empty", None),
    ],
)
def test_official_practitioners_give_their_candidates(
    conformance: Path, name: str, expected: list[tuple[str | None, int | None]] | None
) -> None:
    folder = conformance / "mss" / "annuaire"
    bundle = json.loads((folder / f"{name}.json").read_text("utf-8"))
    told = json.loads((folder / "expected.json").read_text("utf-8"))[f"{name}.json"]
    people = fhir.resources(bundle, "Practitioner")
    if expected is None:
        assert people == []
        return
    entry = fhir.entry(people[0], [], [], AT)
    assert entry.professional.rpps == told["rpps"]
    assert [(box.kind, box.rank) for box in entry.mailboxes] == expected
    assert told["choice"] is None or told["choice"] in {box.address for box in entry.mailboxes}


def test_an_ordinary_address_of_a_structure_is_never_a_mailbox(conformance: Path) -> None:
    text = (conformance / "mss" / "annuaire" / "organization-mixed.json").read_text("utf-8")
    organisation = fhir.resources(json.loads(text), "Organization")[0]
    boxes = list(fhir.mailboxes(organisation, struct_idnat=fhir.struct_idnat(organisation)))
    assert [(box.kind, box.struct_idnat) for box in boxes] == [
        ("ORG", "1590064036"), ("APP", "1590064036"),
    ]  # fmt: skip


def test_a_role_s_mailbox_is_tied_to_its_structure(conformance: Path) -> None:
    text = (conformance / "mss" / "annuaire" / "role-preferred.json").read_text("utf-8")
    answers = json.loads(text)
    entry = fhir.entry(
        fhir.resources(answers["practitioner"], "Practitioner")[0],
        fhir.resources(answers["roles"], "PractitionerRole"),
        fhir.resources(answers["organization"], "Organization"),
        AT,
    )
    assert [box.struct_idnat for box in entry.mailboxes] == [None, "1590064036"]
    assert entry.professional.structure is not None


def test_the_next_page_is_followed(conformance: Path) -> None:
    text = (conformance / "mss" / "annuaire" / "page1-next.json").read_text("utf-8")
    assert str(fhir.next_link(json.loads(text))).endswith("page=2")


def test_a_red_listed_mailbox_is_flagged() -> None:
    url = "https://x/StructureDefinition"
    secure = {"url": f"{url}/fr-core-contact-point-email-type", "valueCoding": {"code": "MSSANTE"}}
    red = {"url": "listeRouge", "valueBoolean": True}
    details = {"url": f"{url}/as-ext-mailbox-mss-metadata", "extension": [red]}
    telecom = {"system": "email", "value": "a@b.test", "extension": [secure, details]}
    assert [box.red_list for box in fhir.mailboxes({"telecom": [telecom]})] == [True]


@pytest.mark.rem("RIS.ANN.03", scenario="ANN/va1.03.01")
@pytest.mark.rem("RIS.ANN.05", scenario="ANN/va1.05.01")
def test_a_correspondent_is_found_by_rpps_and_kept(
    directory: Directory,
    annuaire: tuple[Annuaire, AnnuaireSettings],
    database: Database,
    evidence: Evidence,
) -> None:
    (entry,) = directory.find(RPPS)
    assert (entry.professional.family, entry.professional.specialty) == (REQUESTER.family, "SM26")
    assert entry.professional.structure is not None
    assert entry.professional.structure.struct_idnat == "499700993043006"
    assert entry.mailboxes[0].address == REQUESTER_ADDRESS
    assert [box.kind for box in entry.mailboxes] == ["PER", "CAB"]
    calls = len(annuaire[0].calls)
    assert directory.find(RPPS) == [entry]
    assert len(annuaire[0].calls) == calls
    with database.transaction() as session:
        row = session.scalars(select(DirectoryRecord)).one()
        assert (row.ps_idnat, row.source) == (REQUESTER.ps_idnat, "ANNUAIRE")
    evidence.add("01", "correspondent.txt", str(entry))


@pytest.mark.rem("RIS.ANN.02", scenario="ANN/va1.02.01")
def test_the_account_of_the_same_rpps_takes_the_directory_s_names(
    directory: Directory, database: Database, evidence: Evidence
) -> None:
    with database.transaction() as session:
        accounts.grant(session, REQUESTER.ps_idnat, Role.REFERRER)
    directory.find(RPPS)
    with database.transaction() as session:
        account = session.scalars(select(Account)).one()
        assert (account.family, account.given) == (REQUESTER.family, REQUESTER.given)
        shown = {"ps_idnat": account.ps_idnat, "family": account.family, "given": account.given}
    evidence.add("02", "account-updated.json", shown)


@pytest.mark.rem("RIS.ANN.05", scenario="ANN/va1.05.01")
def test_the_old_copy_serves_while_the_annuaire_is_down(
    directory: Directory, annuaire: tuple[Annuaire, AnnuaireSettings]
) -> None:
    entries = directory.find(RPPS)
    annuaire[0].down = True
    assert directory.find(RPPS, renew=True) == entries
    with pytest.raises(Transient):
        directory.find(WITHOUT_MAILBOX.ps_idnat[1:])


def test_a_professional_without_mailbox_and_an_unknown_one(directory: Directory) -> None:
    (entry,) = directory.find(WITHOUT_MAILBOX.ps_idnat[1:])
    assert entry.mailboxes == ()
    assert directory.find("99700993068") == []
    with pytest.raises(Invalid):
        directory.find("99700993069")


def test_the_search_by_name_follows_the_pages(
    database: Database, annuaire: tuple[Annuaire, AnnuaireSettings]
) -> None:
    annuaire[0]._page_size = 1
    directory = Directory.build(annuaire[1], database=database)
    assert [one.professional.family for one in directory.search("D")] == [
        "DEUXSITES",
        "DEMANDEFICTIVE",
    ]
    directory.close()


@pytest.mark.parametrize("key", ["", "wrong"])
def test_without_the_right_key_the_administrator_is_told(
    database: Database, annuaire: tuple[Annuaire, AnnuaireSettings], key: str
) -> None:
    settings = annuaire[1].model_copy(update={"api_key": SecretStr(key)})
    directory = Directory.build(settings, database=database)
    with pytest.raises(NotConfigured):
        directory.find(RPPS)
    directory.close()
