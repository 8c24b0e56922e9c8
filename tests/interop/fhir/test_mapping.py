"""The Patient of FR Core, from plain values: slices, invariants, never an INS outside qualifiée."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from fhir.resources.R4B.patient import Patient
from hypothesis import given
from hypothesis import strategies as st

from ris.auth.values import Address
from ris.identity.rules import may_carry_ins
from ris.identity.values import (
    INS_OIDS,
    NIA,
    NIR,
    NIR_DEMO,
    NIR_TEST,
    Attribute,
    Ins,
    PatientIdentity,
    Sex,
    Status,
    Traits,
)
from ris.interop.fhir.mapping_patient import patient
from ris.interop.fhir.record import Facts
from ris.rem.evidence import Evidence
from tests.interop.fhir.sample import MATRICULE, Json, reliability, slices

AT = datetime(2024, 5, 14, 6, 30, tzinfo=UTC)
DAY = date(2024, 5, 14)
WHO = UUID("00000000-0000-7000-8000-000000000001")
OTHER = UUID("00000000-0000-7000-8000-000000000002")
TRAITS = Traits("PAT-TROIS", ("DOMINIQUE",), "DOMINIQUE", date(1979, 3, 28), Sex.FEMALE, "51215")
IDENTITY = PatientIdentity(WHO, "0000000001", "2.25.1", TRAITS)
FACTS = Facts(version=3, updated_at=AT, since=AT, method="SM")
NAMES = st.text("ABCDEFGHIJ '-", min_size=1, max_size=20)


@st.composite
def identities(draw: st.DrawFn) -> PatientIdentity:
    """Any identity, even one that the base would refuse: the gate alone must hold."""
    return PatientIdentity(
        id=WHO,
        ipp="0000000001",
        ipp_oid="2.25.1",
        traits=replace(
            TRAITS, sex=draw(st.sampled_from(Sex)), used_family=draw(st.just("") | NAMES),
            used_given=draw(st.just("") | NAMES),
        ),
        status=draw(st.sampled_from(Status)),
        attributes=draw(st.frozensets(st.sampled_from(Attribute))),
        ins=draw(st.none() | st.builds(Ins, st.just(MATRICULE), st.sampled_from(INS_OIDS))),
        address=draw(st.just(Address()) | st.just(Address(("1 RUE A",), "51000", "REIMS", ""))),
        phone=draw(st.sampled_from(("", "0600000000"))),
    )  # fmt: skip


FACTS_OF = st.builds(
    Facts,
    version=st.integers(1, 99),
    updated_at=st.just(AT),
    since=st.just(AT),
    method=st.sampled_from(("", "SM", "INSI", "CV")),
    queried_on=st.none() | st.just(DAY),
    checked=st.none() | st.sampled_from((("CN", DAY), ("PC", DAY))),
    interpreted=st.booleans(),
    survivor=st.none() | st.just(OTHER),
    absorbed=st.sampled_from(((), ((OTHER, "0000000002"),))),
)


@pytest.mark.rem("RIS.INS.37", scenario="INS/va1.59.01")
@given(identities(), FACTS_OF, st.booleans(), st.sampled_from(("2.1", "2.2")))
def test_no_status_nor_attribute_lets_an_ins_out_but_qualified(
    identity: PatientIdentity, facts: Facts, right: bool, fr_core: str
) -> None:
    told = patient(identity, facts, ins_right=right, fr_core=fr_core)
    Patient.model_validate(told)
    text = json.dumps(told)
    shown = identity.ins is not None and may_carry_ins(identity) and right
    assert (MATRICULE in text) == shown
    assert ("1.2.250.1.213.1.4." in text) == shown
    assert ("fr-core-patient-ins" in text) == shown
    assert ("SUBSETTED" in text) == (
        identity.ins is not None and may_carry_ins(identity) and not right
    )
    assert [] not in told.values()
    if shown:
        conforms_to_ins_profile(told)


def conforms_to_ins_profile(told: Json) -> None:
    """The constraints of fr-core-patient-ins that a structure can show."""
    known = {
        "INS-NIR": ("official", f"urn:oid:{NIR}"),
        "INS-NIA": ("temp", f"urn:oid:{NIA}"),
        "INS-NIR-TEST": ("official", f"urn:oid:{NIR_TEST}"),
        "INS-NIR-DEMO": ("official", f"urn:oid:{NIR_DEMO}"),
    }
    found = {code: one[:2] for code, one in slices(told).items() if code in known}
    assert len(found) == 1
    assert found.items() <= known.items()
    urls = [one["url"].rpartition("/")[2] for one in told["extension"]]
    assert urls[:2] == ["fr-core-identity-reliability", "patient-birthPlace"]
    (official,) = [one for one in told["name"] if one["use"] == "official"]
    assert len(official["given"]) == len(official["extension"]) == 1
    assert told["gender"] in ("male", "female", "unknown")
    assert len(told["birthDate"]) == 10
    code = reliability(told)["identityStatus"]["code"]
    assert code in ("QUAL", "VALI")
    officials = [one for one in told["identifier"] if one["use"] == "official"]
    assert len(officials) == (0 if "INS-NIA" in found else 1)


@given(identities(), FACTS_OF)
def test_doubtful_or_fictitious_goes_with_provisional_only_as_the_machine_says(
    identity: PatientIdentity, facts: Facts
) -> None:
    told = reliability(patient(identity, facts, ins_right=True))
    codes = {Status.PROVISOIRE: "PROV", Status.RECUPEREE: "RECUP",
             Status.VALIDEE: "VALI", Status.QUALIFIEE: "QUAL"}  # fmt: skip
    assert told["identityStatus"]["code"] == codes[identity.status]
    assert ("validationDate" in told) <= (identity.status in (Status.VALIDEE, Status.QUALIFIEE))
    assert ("dateInterrogationINSi" in told) <= (
        identity.status in (Status.RECUPEREE, Status.QUALIFIEE)
    )
    assert told.get("validationMode", {}).get("code") in (None, "CN")
    assert {"DESA"} <= set(told["comment"]) or facts.survivor is None


def example(conformance: Path, name: str) -> Json:
    told: Json = json.loads((conformance / f"ins/fhir/{name}.json").read_text("utf-8"))
    return told


def same(told: Json, expected: Json) -> None:
    told = {name: value for name, value in told.items() if name != "id"}
    told["meta"] = {"profile": told["meta"]["profile"]}
    text = json.dumps(told).replace("2024-05-14T08:30:00.000+02:00", "2024-05-14T08:30:00+02:00")
    assert json.loads(text) == expected


@pytest.mark.rem("RIS.INS.37", scenario="INS/va1.59.01")
def test_the_examples_of_the_kit_come_out_letter_by_letter(
    conformance: Path, evidence: Evidence
) -> None:
    alpha = replace(
        IDENTITY, ipp="IPP0001", ipp_oid="1.2.3.4.5.6", status=Status.QUALIFIEE,
        ins=Ins("284036938300135", NIR_TEST),
        traits=Traits(
            "TESTRIS-ALPHA", ("MARIE-CLAUDE", "LOUISE", "ANNE"), "MARIE-CLAUDE",
            date(1984, 3, 12), Sex.FEMALE, "69383", "MARTIN", "CLAUDE",
        ),
    )  # fmt: skip
    insi = replace(FACTS, method="INSI", queried_on=DAY, checked=("CN", DAY))
    told = patient(alpha, insi, ins_right=True)
    evidence.add("01", "patient-qualifie.json", json.dumps(told, ensure_ascii=False))
    same(told, example(conformance, "patient_qual_test"))
    corse = replace(
        IDENTITY, ipp="IPP0002", ipp_oid="1.2.3.4.5.6", status=Status.VALIDEE,
        traits=Traits("TESTRIS CORSE", ("ANGE", "TOUSSAINT"), "ANGE", date(1975, 6, 21), Sex.MALE,
                      "2A004"),
    )  # fmt: skip
    told = patient(corse, replace(FACTS, checked=("PA", DAY)), ins_right=True)
    same(told, example(conformance, "patient_vali_sans_ins"))
    odette = replace(
        IDENTITY, ipp="IPP0004", ipp_oid="1.2.3.4.5.6",
        attributes=frozenset({Attribute.DOUTEUSE, Attribute.HOMONYME}),
        traits=Traits("TESTRIS SANSLIEU", ("ODETTE",), "ODETTE", date(1955, 7, 19), Sex.FEMALE,
                      "99999"),
    )  # fmt: skip
    same(patient(odette, FACTS, ins_right=True), example(conformance, "patient_prov_douteux"))
