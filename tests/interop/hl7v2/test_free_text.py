"""What a feed may write freely: within the sizes of the API, without control characters."""

from typing import Any

import pytest

from ris.interop.hl7v2.service import Inbox
from tests.interop.hl7v2.sample import INS, message
from tests.interop.hl7v2.test_inbox import patients, told

UPDATE: dict[str, Any] = {"control": "C2", "recorded": "20240514093000", "status": "VALI"}
PHONE, STREET = b"0400000000", b"1 RUE DU TEST"


@pytest.mark.parametrize(
    ("old", "new", "alert"),
    [
        (PHONE, b"0" * 31, "FEED_PHONE_REFUSED"),
        (PHONE, b"0" * 60_000, "FEED_PHONE_REFUSED"),
        (PHONE, b"04\\X00\\00", "FEED_PHONE_REFUSED"),
        (PHONE, b"04\\.br\\00", "FEED_PHONE_REFUSED"),
        (STREET, b"R" * 201, "FEED_ADDRESS_REFUSED"),
        (STREET, b"RUE\\X00\\", "FEED_ADDRESS_REFUSED"),
        (b"^LYON^", b"^" + b"L" * 101 + b"^", "FEED_ADDRESS_REFUSED"),
        (b"^69003^", b"^" + b"6" * 11 + b"^", "FEED_ADDRESS_REFUSED"),
        (b"^FRA^H", b"^F\\X07\\^H", "FEED_ADDRESS_REFUSED"),
    ],
)
def test_a_contact_at_fault_is_left_out_and_the_withdrawal_of_an_ins_is_not(
    inbox: Inbox, old: bytes, new: bytes, alert: str
) -> None:
    inbox.receive(message(ins=INS, status="VALI"))
    (before,) = patients(inbox.database)
    data = message("ADT^A31^ADT_A05", **UPDATE)
    assert old in data
    code, errors = told(inbox.receive(data.replace(old, new)))
    assert (code, [one[3] for one in errors]) == ("AA", [alert])
    (after,) = patients(inbox.database)
    assert (after.status, after.ins_matricule) == ("validée", None)
    assert (after.phone, after.address) == (before.phone, before.address)
    assert (after.phone, after.address["city"]) == ("0400000000", "LYON")


def test_a_contact_at_fault_is_told_for_a_record_that_does_not_change(inbox: Inbox) -> None:
    inbox.receive(message(ins=INS, status="VALI"))
    data = message("ADT^A31^ADT_A05", ins=INS, **UPDATE).replace(PHONE, b"0" * 31)
    assert told(inbox.receive(data))[1][0][3] == "FEED_PHONE_REFUSED"


def test_a_new_record_of_a_stranger_is_made_without_a_contact_at_fault(inbox: Inbox) -> None:
    data = message().replace(b"GAM|CHU-T", b"AUTRE|AILLEURS").replace(PHONE, b"0" * 31)
    assert "FEED_PHONE_REFUSED" in [one[3] for one in told(inbox.receive(data))[1]]
    (made,) = patients(inbox.database)
    assert (made.phone, made.address["city"]) == ("", "LYON")


@pytest.mark.parametrize(
    ("ipp", "code"),
    [("P" * 33, "IPP_TOO_LONG"), ("P" * 65, ""), ("P\\X00\\", ""), ("P\\X0A\\1", "")],
)
def test_an_identifier_at_fault_is_refused_where_it_stands(
    inbox: Inbox, ipp: str, code: str
) -> None:
    answer, ((_, _, place, told_code),) = told(inbox.receive(message(ipp=ipp)))
    assert (answer, place) == ("AE", "PID^1^3")
    assert told_code == code or not code
    assert patients(inbox.database) == []


@pytest.mark.parametrize("names", ["N" * 101 + "^A^A^^^^L", "N^" + "A" * 101 + "^A^^^^L"])
def test_a_name_too_long_is_refused_where_it_stands(inbox: Inbox, names: str) -> None:
    answer, errors = told(inbox.receive(message(names=names)))
    assert (answer, errors[0][2], errors[0][3]) == ("AE", "PID^1^5", "NAME_TOO_LONG")


def test_control_characters_in_a_name_become_spaces(inbox: Inbox) -> None:
    answer, errors = told(inbox.receive(message(names="DE\\X00\\LA^ANNE^ANNE^^^^L")))
    assert (answer, [one[3] for one in errors]) == ("AA", ["FEED_TRAITS_NORMALISED"])
    assert patients(inbox.database)[0].birth_family == "DE LA"
