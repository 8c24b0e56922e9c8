"""The inbox: stored before answered, once per MSH-10, the same answer for ever."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from ris.core import clock
from ris.core.audit import AuditEvent
from ris.core.db import Database
from ris.identity.model import IdentityHistory, Patient
from ris.identity.values import Status
from ris.interop.hl7v2 import parser
from ris.interop.hl7v2 import service as inbox_module
from ris.interop.hl7v2.model import Hl7Message, Hl7State
from ris.interop.hl7v2.service import Inbox
from ris.rem.evidence import Evidence
from tests.interop.hl7v2.sample import INS, merge, message


def told(answer: bytes | None) -> tuple[str, list[tuple[str, str, str, str]]]:
    """MSA-1, then (severity, condition, place, code) of each ERR."""
    assert answer
    read = parser.parse(answer)
    errors = [(e.text(4), e.text(3), e.raw(2), e.text(5)) for e in read.all("ERR")]
    return read.segment("MSA").text(1), errors


def count(database: Database, table: Any) -> int:
    with database.transaction() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def row(database: Database, control: str) -> Hl7Message:
    with database.transaction() as session:
        return session.scalars(select(Hl7Message).filter_by(control_id=control)).one()


def patients(database: Database) -> list[Patient]:
    with database.transaction() as session:
        return list(session.scalars(select(Patient)))


def test_an_accepted_message_is_answered_after_its_effects_are_committed(inbox: Inbox) -> None:
    answer = inbox.receive(message(), "10.0.0.9")
    msh = parser.parse(answer or b"").msh
    assert told(answer) == ("AA", [])
    assert (msh.text(3), msh.text(4), msh.text(5), msh.text(6)) == (
        "RIS",
        "CABINET",
        "GAM",
        "CHU-T",
    )
    assert (msh.text(9), msh.text(9, 2), msh.text(18)) == ("ACK", "A28", "UNICODE UTF-8")
    kept = row(inbox.database, "C1")
    assert (kept.state, kept.ack, kept.kind) == (Hl7State.APPLIED, answer, "ADT^A28")
    assert [p.birth_family for p in patients(inbox.database)] == ["TESTRIS-BETA"]
    with inbox.database.transaction() as session:
        event = session.scalars(select(AuditEvent).filter_by(action="identity.received")).one()
    assert (event.origin_ip, event.patient_id) == ("10.0.0.9", kept.patient_id)


def test_the_message_rests_sealed(inbox: Inbox) -> None:
    data = message(ins=INS, status="VALI")
    inbox.receive(data)
    kept = row(inbox.database, "C1")
    assert b"TESTRIS" not in kept.sealed
    assert b"279035121518989" not in kept.sealed
    assert inbox.sealer.open(kept.sealed, f"ris.hl7_message.v1|{kept.id}".encode()) == data


def test_the_same_message_again_is_answered_the_same_and_has_no_second_effect(
    inbox: Inbox,
) -> None:
    first = inbox.receive(message())
    assert inbox.receive(message()) == first
    assert count(inbox.database, Patient) == count(inbox.database, Hl7Message) == 1
    assert count(inbox.database, IdentityHistory) == 1


def test_the_same_control_id_with_other_bytes_is_rejected(inbox: Inbox) -> None:
    inbox.receive(message())
    other = inbox.receive(message(ipp="P9"))
    assert told(other) == ("AR", [("E", "207", "MSH^1^10", "HL7_CONTROL_ID_REUSED")])
    assert count(inbox.database, Patient) == 1


def test_two_connections_with_one_message_make_one_patient(inbox: Inbox) -> None:
    answers: list[bytes | None] = []
    threads = [
        threading.Thread(target=lambda: answers.append(inbox.receive(message()))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert len(set(answers)) == 1
    assert count(inbox.database, Patient) == 1


@pytest.mark.parametrize(
    ("data", "code", "error"),
    [
        (message("MDM^T02^MDM_T02"), "AR", ("E", "200", "MSH^1^9", "HL7_REFUSED")),
        (message("ADT^A99^ADT_A01"), "AR", ("E", "201", "MSH^1^9", "HL7_REFUSED")),
        (message(version="3.0"), "AR", ("E", "203", "MSH^1^12", "HL7_REFUSED")),
        (message(processing="X"), "AR", ("E", "202", "MSH^1^11", "HL7_REFUSED")),
        (message(control=""), "AE", ("E", "101", "MSH^1^10", "HL7_REFUSED")),
        (message(ipp=""), "AE", ("E", "101", "PID^1^3", "HL7_REFUSED")),
        (message(ipp="9" * 65), "AE", ("E", "102", "PID^1^3", "HL7_REFUSED")),
        (message(ipp="9" * 40), "AE", ("E", "207", "PID^1^3", "IPP_TOO_LONG")),
        (message(names=""), "AE", ("E", "101", "PID^1^5", "HL7_REFUSED")),
        (message(names="A^B~C^D"), "AE", ("E", "198", "PID^1^5", "HL7_REFUSED")),
        (message(born="hier"), "AE", ("E", "102", "PID^1^7", "HL7_REFUSED")),
        (message(sex="X"), "AE", ("E", "103", "PID^1^8", "HL7_REFUSED")),
        (message(recorded="pas une date"), "AE", ("E", "102", "EVN^1^2", "HL7_REFUSED")),
        (message(place="LYON"), "AE", ("E", "207", "PID^1^11", "PLACE_CODE")),
        (
            message(ins=f"{INS}~{INS.replace('279035121518989', '284036938300135')}"),
            "AE",
            ("E", "198", "PID^1^3", "HL7_REFUSED"),
        ),
        (message().replace(b"PID|", b"ZID|"), "AE", ("E", "101", "PID", "HL7_REFUSED")),
        (message() + b"PID|1\r", "AE", ("E", "198", "PID", "HL7_REFUSED")),
        (merge().replace(b"MRG|P2", b"MRG|"), "AE", ("E", "101", "MRG^1^1", "HL7_REFUSED")),
    ],
)
def test_a_bad_message_is_refused_by_name_and_writes_nothing(
    inbox: Inbox, data: bytes, code: str, error: tuple[str, str, str, str]
) -> None:
    assert told(inbox.receive(data)) == (code, [error])
    assert count(inbox.database, Patient) == 0
    assert count(inbox.database, IdentityHistory) == 0
    with inbox.database.transaction() as session:
        actions = set(
            session.scalars(select(AuditEvent.action).where(AuditEvent.outcome != "success"))
        )
    assert actions == {"hl7.refused"}


def test_a_merge_on_an_ins_is_refused(inbox: Inbox) -> None:
    data = merge().replace(b"MRG|P2^^^GAM&2.25.77&ISO^PI", b"MRG|" + INS.encode())
    assert told(inbox.receive(data)) == ("AE", [("E", "101", "MRG^1^1", "HL7_REFUSED")])


def test_a_refusal_for_now_may_come_back_under_the_same_control_id(inbox: Inbox) -> None:
    strict = replace(inbox, settings=inbox.settings.model_copy(update={"processing_ids": ("P",)}))
    assert told(strict.receive(message()))[0] == "AR"
    assert told(inbox.receive(message()))[0] == "AA"
    assert row(inbox.database, "C1").state == Hl7State.APPLIED


def test_a_failure_of_ours_leaves_nothing_and_asks_to_come_back(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(inbox_module, "outcome", _fails)
        assert told(inbox.receive(message())) == ("AR", [("E", "207", "", "HL7_TRY_AGAIN")])
    assert count(inbox.database, Hl7Message) == count(inbox.database, Patient) == 0
    assert told(inbox.receive(message()))[0] == "AA"


def _fails(*_: object, **__: object) -> None:
    raise OSError("disk full")


def test_a_message_cut_by_the_cap_is_never_integrated(inbox: Inbox) -> None:
    assert told(inbox.receive(message(), "", False)) == ("AR", [("E", "102", "", "HL7_TOO_BIG")])
    assert count(inbox.database, Hl7Message) == 0


def test_what_holds_no_header_gets_no_answer(inbox: Inbox) -> None:
    assert inbox.receive(b"GET / HTTP/1.1\r\n") is None


def test_an_ins_with_a_provisional_status_is_dropped_with_a_warning(inbox: Inbox) -> None:
    answer = inbox.receive(message(ins=INS, status="PROV"))
    assert told(answer) == ("AA", [("W", "207", "", "PAM_INS_NOT_QUALIFIED")])
    assert patients(inbox.database)[0].ins_matricule is None


def test_older_news_do_not_overwrite(inbox: Inbox) -> None:
    inbox.receive(message(recorded="20240514120000"))
    late = message(
        "ADT^A31^ADT_A05", control="C2", recorded="20240514110000", names="AUTRE^A^A^^^^L"
    )
    assert told(inbox.receive(late)) == ("AA", [("W", "207", "", "FEED_OUTDATED")])
    assert patients(inbox.database)[0].birth_family == "TESTRIS-BETA"


def test_null_empties_a_field_and_absence_leaves_it(inbox: Inbox) -> None:
    used = "TESTRIS-BETA^ANNE^ANNE LUCIE^^^^L~MARTIN^LUCIE^^^^^D"
    inbox.receive(message(names=used))
    inbox.receive(message("ADT^A31^ADT_A05", control="C2", recorded="20240514090000"))
    assert patients(inbox.database)[0].used_family == "MARTIN"
    emptied = used.replace("MARTIN^LUCIE", '""^""')
    inbox.receive(
        message("ADT^A31^ADT_A05", control="C3", names=emptied, recorded="20240514100000")
    )
    assert patients(inbox.database)[0].used_family == ""


@pytest.mark.rem("RIS.INS.57", scenario="INS/va1.69.01")
@pytest.mark.parametrize("event", ["ORU^R01^ORU_R01", "ORM^O01^ORM_O01"])
def test_the_pid_of_a_result_or_an_order_brings_the_ins(
    inbox: Inbox, evidence: Evidence, event: str
) -> None:
    data = message(event, ins=INS, status="VALI")
    answer = inbox.receive(data)
    assert told(answer)[0] == "AA"
    assert parser.parse(answer or b"").msh.text(9, 2) == event.split("^")[1]
    patient = patients(inbox.database)[0]
    assert (patient.status, patient.ins_matricule) == (Status.QUALIFIEE, "279035121518989")
    evidence.add("01", f"{event[:3].lower()}.hl7", data)
    evidence.add("02", f"{event[:3].lower()}-identity.txt", f"{patient.status} {patient.ins_oid}")


@pytest.mark.parametrize("trigger", ["A01", "A04", "A05", "A08", "A28", "A31"])
def test_every_patient_event_creates_or_updates(inbox: Inbox, trigger: str) -> None:
    assert told(inbox.receive(message(f"ADT^{trigger}^ADT_A01")))[0] == "AA"
    again = message(
        f"ADT^{trigger}^ADT_A01", control="C2", names="TESTRIS-GAMMA^ANNE^ANNE^^^^L",
        recorded="20240515000000",
    )  # fmt: skip
    assert told(inbox.receive(again))[0] == "AA"
    assert [p.birth_family for p in patients(inbox.database)] == ["TESTRIS-GAMMA"]


def test_an_unknown_sender_is_capped_until_insi_says_so(inbox: Inbox) -> None:
    data = message(ins=INS, status="VALI").replace(b"|GAM|CHU-T|", b"|XXX|ELSEWHERE|")
    code, warnings = told(inbox.receive(data))
    assert code == "AA"
    assert {w[3] for w in warnings} >= {"FEED_SENDER_NOT_TRUSTED", "FOREIGN_INS_TO_VERIFY"}
    patient = patients(inbox.database)[0]
    assert (patient.status, patient.ins_matricule) == (Status.PROVISOIRE, None)


def test_a_test_ins_is_refused_in_production(inbox: Inbox) -> None:
    production = replace(inbox, feature=replace(inbox.feature, production=True))
    code, errors = told(production.receive(message(ins=INS, status="VALI")))
    assert (code, errors[0][3]) == ("AE", "INS_TEST_OID")
    assert count(inbox.database, Patient) == 0


# Enhanced mode (MSH-15): stored, answered, then applied.


def test_enhanced_mode_answers_when_stored_and_applies_afterwards(inbox: Inbox) -> None:
    assert told(inbox.receive(message(accept="AL"))) == ("CA", [])
    assert count(inbox.database, Patient) == 0
    assert row(inbox.database, "C1").state == Hl7State.RECEIVED
    assert inbox.apply_waiting() == 1
    assert row(inbox.database, "C1").state == Hl7State.APPLIED
    assert count(inbox.database, Patient) == 1
    assert told(inbox.receive(message(accept="AL"))) == ("CA", [])
    assert inbox.apply_waiting() == 0


def test_enhanced_mode_keeps_the_order_of_arrival(inbox: Inbox) -> None:
    for number in range(5):
        names = f"TESTRIS-{'ABCDE'[number]}^ANNE^ANNE^^^^L"
        inbox.receive(message("ADT^A31^ADT_A05", control=f"E{number}", names=names, accept="AL"))
    assert inbox.apply_waiting() == 5
    assert [p.birth_family for p in patients(inbox.database)] == ["TESTRIS-E"]


def test_enhanced_mode_says_at_once_what_cannot_be_read(inbox: Inbox) -> None:
    assert told(inbox.receive(message("MDM^T02^X", accept="AL")))[0] == "CR"
    bad = message(control="C2", accept="AL") + b"pid|x\r"
    assert told(inbox.receive(bad))[0] == "CE"
    assert inbox.apply_waiting() == 0


def test_a_sender_may_ask_for_errors_only_or_nothing(inbox: Inbox) -> None:
    assert inbox.receive(message(control="1", accept="ER")) == b""
    assert told(inbox.receive(message("MDM^T02^X", control="2", accept="ER")))[0] == "CR"
    assert inbox.receive(message(control="3", ipp="P3", accept="NE")) == b""
    assert inbox.apply_waiting() == 2


def test_a_stored_message_that_is_refused_stays_on_record(inbox: Inbox) -> None:
    inbox.receive(message(sex="X", accept="AL"))
    assert inbox.apply_waiting() == 1
    kept = row(inbox.database, "C1")
    assert (kept.state, kept.error, kept.ack_code) == (Hl7State.REFUSED, "HL7_REFUSED", "CA")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def fails(*_: object, **__: object) -> None:
        raise OSError("out of memory")

    with monkeypatch.context() as broken:
        broken.setattr(inbox_module.adt, "read", fails)
        yield


@pytest.mark.usefixtures("failing")
def test_a_message_that_keeps_failing_does_not_block_the_others_for_ever(inbox: Inbox) -> None:
    inbox.receive(message(accept="AL"))
    assert [inbox.apply_waiting() for _ in range(5)] == [0, 0, 0, 0, 1]
    kept = row(inbox.database, "C1")
    assert (kept.state, kept.error) == (Hl7State.REFUSED, "OSError")
    assert count(inbox.database, Patient) == 0


def test_settled_messages_are_purged_when_old(inbox: Inbox) -> None:
    inbox.receive(message())
    inbox.receive(message(control="C2", ipp="P2", accept="AL"))
    old = replace(inbox, settings=inbox.settings.model_copy(update={"keep_days": -1}))
    assert inbox.purge() == 0
    assert old.purge() == 1
    assert row(inbox.database, "C2").state == Hl7State.RECEIVED


def test_a_sender_whose_clock_was_ahead_once_is_heard_again(inbox: Inbox) -> None:
    inbox.receive(message(control="C1", recorded="20990101000000"))
    answer = inbox.receive(message("ADT^A31^ADT_A05", control="C2", names="AUTRE^ANNE^ANNE^^^^L"))
    assert told(answer) == ("AA", [("W", "207", "", "FEED_OUTDATED")])
    later = f"{clock.now() + timedelta(minutes=1):%Y%m%d%H%M%S}+0000"
    heard = inbox.receive(message("ADT^A31^ADT_A05", control="C3", status="DOUT", recorded=later))
    assert told(heard) == ("AA", [])
    assert patients(inbox.database)[0].attributes == ["douteuse"]


@pytest.mark.parametrize("recorded", ["00010101000000", "18991231000000"])
def test_an_impossible_instant_does_not_close_a_record_for_ever(
    inbox: Inbox, recorded: str
) -> None:
    answer = inbox.receive(message(control="C1", recorded=recorded))
    assert told(answer)[0] == "AE"
    assert told(answer)[1][0][2] == "EVN^1^2"
    assert told(inbox.receive(message(control="C2"))) == ("AA", [])
    assert told(inbox.receive(message("ADT^A31^ADT_A05", control="C3"))) == ("AA", [])


def test_the_last_instant_of_the_calendar_does_not_close_a_record_for_ever(inbox: Inbox) -> None:
    answer = inbox.receive(message(control="C1", recorded="99991231235959-1200"))
    assert told(answer) == ("AA", [])
    assert told(inbox.receive(message("ADT^A31^ADT_A05", control="C2")))[0] == "AA"


@pytest.mark.parametrize("said", [{"control": "C\\X00\\1"}, {"event": "ADT^A28\\X00\\^ADT_A05"}])
def test_a_control_character_in_an_escape_of_the_header_is_refused_for_good(
    inbox: Inbox, said: dict[str, str]
) -> None:
    answer = inbox.receive(message(**said))
    assert told(answer)[0] == "AE"
    with inbox.database.transaction() as session:
        event = session.scalars(select(AuditEvent).filter_by(action="hl7.refused")).one()
    assert event.outcome == "failure"


def test_a_text_in_place_of_a_code_is_not_kept_in_clear(inbox: Inbox) -> None:
    zfd = "ZFD|||279035121518989|N|INSI|20240101|279035121518989"
    inbox.receive(message(zfd=zfd))
    kept = row(inbox.database, "C1").outcome
    assert kept["zfd"]["mode"] == "INSI"
    assert "279035121518989" not in str(kept)
