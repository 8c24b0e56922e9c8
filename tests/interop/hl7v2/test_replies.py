"""Enhanced mode to its end: CA when stored, then the application answer, where it is wanted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from ris.core import clock
from ris.core.audit import AuditEvent
from ris.interop.hl7v2 import parser
from ris.interop.hl7v2.group import Arrival, Group
from ris.interop.hl7v2.message import Message
from ris.interop.hl7v2.model import Hl7Message
from ris.interop.hl7v2.replies import Replies
from ris.interop.hl7v2.service import Inbox, answer
from ris.interop.hl7v2.settings import LinkSettings
from tests.interop.hl7v2.sample import INS, message
from tests.interop.hl7v2.test_mllp import listening, quick


@dataclass
class Ear:
    """The sender's own listener: what it heard; it accepts with *code*."""

    code: str = "CA"
    heard: list[Message] = field(default_factory=list)

    def receive(self, data: bytes, _origin: str, _whole: bool) -> bytes:
        told = parser.parse(data)
        self.heard.append(told)
        return answer(told.msh, self.code, [])


@contextmanager
def heard_by(inbox: Inbox, ear: Ear) -> Iterator[Inbox]:
    """Give an inbox whose senders want their answers at *ear*."""
    with listening(quick(), ear.receive) as port:
        link = LinkSettings(host="127.0.0.1", port=port)
        senders = tuple(s.model_copy(update={"answers_to": link}) for s in inbox.settings.senders)
        told = {"senders": senders, "answer_timeout_s": 2}
        yield replace(inbox, settings=inbox.settings.model_copy(update=told))


def asking(application: str, **options: str) -> bytes:
    """A message that wants CA at once, and an application answer as *application* (MSH-16) says."""
    given = {"control": "C1", "accept": f"AL|{application}"} | options
    data = message(**given)  # type: ignore[arg-type]
    return data.replace(f"|AL|{application}||FRA".encode(), f"|AL|{application}|FRA".encode())


def send(inbox: Inbox) -> int:
    return Replies(inbox.database, inbox.settings).run()


def kept(inbox: Inbox) -> Hl7Message:
    with inbox.database.transaction() as session:
        return session.scalars(select(Hl7Message)).one()


def test_the_application_answer_follows_once_the_message_is_applied(inbox: Inbox) -> None:
    ear = Ear()
    with heard_by(inbox, ear) as mine:
        assert b"MSA|CA|C1" in (mine.receive(asking("AL", ins=INS)) or b"")
        assert send(mine) == 0
        assert mine.apply_waiting() == 1
        assert send(mine) == 1
        assert send(mine) == 0
    (told,) = ear.heard
    assert (told.segment("MSA").text(1), told.segment("MSA").text(2)) == ("AA", "C1")
    assert told.segment("ERR").text(5) == "PAM_INS_NOT_QUALIFIED"
    assert (told.msh.text(15), told.msh.text(16)) == ("AL", "NE")
    assert (told.msh.text(5), told.msh.text(6)) == ("GAM", "CHU-T")
    assert kept(inbox).replied_at is not None
    assert b"279035121518989" not in kept(inbox).reply


def test_a_group_answers_each_of_its_senders(inbox: Inbox) -> None:
    ear = Ear()
    with heard_by(inbox, ear) as mine:
        group = Group(mine)
        group.receive([Arrival(asking("AL", control=c, ipp=c)) for c in ("C1", "C2")])
        assert group.apply_waiting() == 2
        assert send(mine) == 2
    assert sorted(one.segment("MSA").text(2) for one in ear.heard) == ["C1", "C2"]


@pytest.mark.parametrize(
    ("wanted", "sex", "told"),
    [
        ("AL", "X", ["AE"]),
        ("ER", "F", []),
        ("ER", "X", ["AE"]),
        ("SU", "F", ["AA"]),
        ("SU", "X", []),
        ("NE", "X", []),
    ],
)
def test_msh_16_says_which_answers_are_wanted(
    inbox: Inbox, wanted: str, sex: str, told: list[str]
) -> None:
    ear = Ear()
    with heard_by(inbox, ear) as mine:
        mine.receive(asking(wanted, sex=sex))
        mine.apply_waiting()
        send(mine)
    assert [one.segment("MSA").text(1) for one in ear.heard] == told


def test_without_a_return_link_the_sender_is_warned_at_once(inbox: Inbox) -> None:
    stored = parser.parse(inbox.receive(asking("AL")) or b"")
    assert stored.segment("MSA").text(1) == "CA"
    assert (stored.segment("ERR").text(4), stored.segment("ERR").text(5)) == (
        "W", "HL7_NO_RETURN_LINK"
    )  # fmt: skip
    inbox.apply_waiting()
    assert kept(inbox).reply_due_at is None


def test_an_answer_that_nobody_hears_is_repeated_the_same(inbox: Inbox) -> None:
    ear = Ear()
    with heard_by(inbox, ear) as mine:
        mine.receive(asking("AL"))
        mine.apply_waiting()
    assert send(mine) == 0
    first = kept(inbox)
    assert (first.reply_tries, first.replied_at) == (1, None)
    assert send(mine) == 0  # not due yet
    with heard_by(inbox, ear) as mine, clock.frozen(clock.now() + timedelta(hours=2)):
        assert send(mine) == 1
    assert ear.heard[0].msh.text(10) == parser.header(first.reply).text(10)


def test_an_answer_that_the_sender_refuses_is_given_up_and_on_record(inbox: Inbox) -> None:
    with heard_by(inbox, Ear("CE")) as mine:
        mine.receive(asking("AL"))
        mine.apply_waiting()
        assert send(mine) == 0
    assert kept(inbox).reply_due_at is None
    with inbox.database.transaction() as session:
        given_up = select(AuditEvent.reason).where(AuditEvent.action == "hl7.reply_given_up")
        assert session.scalars(given_up).one() == "CE"
