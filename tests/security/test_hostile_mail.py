"""Hostile mails in our own mailbox: passed over one by one, never the end of the reading."""

from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from ris.diffusion import jobs
from ris.mss.model import MssMessage
from ris.sandbox.psc_people import RADIOLOGIST_A
from ris.sandbox.services import Sandbox, mailbox_of
from tests.security import job
from tests.security.product import Product

MAILBOX = mailbox_of(RADIOLOGIST_A)
UNKNOWN = b"<0@nulle.part>"


def dsn(envid: bytes) -> bytes:
    return (
        b"From: mailer@x.fr\r\nSubject: echec\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Original-Envelope-Id: " + envid + b"\r\n\r\n"
        b"Action: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
    )


def mdn(reference: bytes, disposition: bytes) -> bytes:
    return (
        b"From: x@x.fr\r\nSubject: lu\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
        b"Original-Message-ID: " + reference + b"\r\nDisposition: auto/MDN; " + disposition
        + b"\r\n\r\n--b--\r\n"
    )  # fmt: skip


HOSTILE = {
    "nul": dsn(b"a\x00b"),
    "bytes": b"\xff\xfe\x00" * 100,
    "empty": b"",
    "endless number": mdn(UNKNOWN, b"processed/error: " + b"9" * 5000),
    "bad charset": b"Subject: =?nimporte?Q?a?=\r\nIn-Reply-To: <a\r\n@b>\r\n\r\n",
    "bad type": b"Content-Type: multipart/report; report-type*=x''%ff; boundary=\r\n\r\n",
    "deep": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 300,
    "nul reference": mdn(b"<a\x00@b>", b"displayed"),
    "doctype": b"Content-Type: text/xml\r\n\r\n<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>",
}


def poll(product: Product) -> None:
    product.runtime.diffusion.upkeep[0].run()


def sent(product: Product, desk: httpx.Client, doctor: httpx.Client) -> tuple[str, MssMessage]:
    """Sign a report and send the requester's copy; return its delivery and its message."""
    report = job.ready(desk, doctor)
    job.got(job.sign(doctor, report), 201)
    rows = job.got(doctor.get(f"/v1/reports/{report['id']}/deliveries"), 200)["items"]
    [delivery] = [row["id"] for row in rows if row["channel"] == "mss_ps"]
    jobs.attempt(product.runtime.diffusion, UUID(delivery))
    with product.runtime.database.transaction() as session:
        query = select(MssMessage).where(MssMessage.delivery_id == UUID(delivery))
        return delivery, session.scalars(query).one()


def state(doctor: httpx.Client, delivery: str) -> str:
    found: str = job.got(doctor.get(f"/v1/deliveries/{delivery}"), 200)["state"]
    return found


def test_a_mail_nobody_can_read_does_not_hide_the_receipt_behind_it(
    product: Product, sandbox: Sandbox, desk: httpx.Client, doctor: httpx.Client
) -> None:
    delivery, message = sent(product, desk, doctor)
    for raw in HOSTILE.values():
        sandbox.operator.store.append(MAILBOX, "INBOX", raw)
    named = message.message_id.encode()
    huge = mdn(named, b"processed/error: 99999999999999999999")
    sandbox.operator.store.append(MAILBOX, "INBOX", huge)
    sandbox.operator.store.append(MAILBOX, "INBOX", mdn(named, b"displayed"))
    poll(product)
    assert state(doctor, delivery) == "acknowledged"
    poll(product)
    assert state(doctor, delivery) == "acknowledged"


@pytest.mark.parametrize("raw", [dsn(b"00000000-0000"), mdn(UNKNOWN, b"displayed")])
def test_a_receipt_that_names_no_message_of_ours_changes_nothing(
    product: Product, sandbox: Sandbox, desk: httpx.Client, doctor: httpx.Client, raw: bytes
) -> None:
    delivery, _ = sent(product, desk, doctor)
    before = state(doctor, delivery)
    sandbox.operator.store._folders.clear()  # the operator's own receipts are another story
    sandbox.operator.store.append(MAILBOX, "INBOX", raw)
    poll(product)
    assert state(doctor, delivery) == before
