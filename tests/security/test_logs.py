"""The main job with every log line captured, DEBUG included: nothing of a patient, no secret."""

import io
import logging
from collections.abc import Iterator
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
import structlog

from ris.core import logs
from ris.demo.client import Browser
from ris.demo.story import SECTIONS, TRAITS
from ris.diffusion import jobs
from ris.diffusion.errors import NotYet
from ris.sandbox.psc_people import RADIOLOGIST_A
from ris.sandbox.services import API_KEY, CLIENT_SECRET, Sandbox
from tests.security import job
from tests.security.product import Product

MATRICULE = "279035121518989"
STREET = "12 RUE DES PATIENTS INVENTES"
PHONE = "0699999999"


@pytest.fixture
def captured() -> Iterator[io.StringIO]:
    """What the product writes to its log, at DEBUG; the former set-up comes back."""
    root = logging.getLogger()
    before = (root.handlers, root.level, logging.raiseExceptions)
    levels = {name: logging.getLogger(name).level for name in root.manager.loggerDict}
    stream = io.StringIO()
    logs.configure(level="DEBUG", stream=stream)
    yield stream
    root.handlers, root.level, logging.raiseExceptions = before[0], before[1], before[2]
    logging.captureWarnings(capture=False)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    structlog.reset_defaults()


def hidden(text: str, *secrets: str) -> list[str]:
    """The secrets that *text* lets out."""
    return [one for one in secrets if one.lower() in text.lower()]


def attempts(product: Product, deliveries: list[dict[str, object]]) -> None:
    for one in deliveries:
        try:
            jobs.attempt(product.runtime.diffusion, UUID(str(one["id"])))
        except NotYet:
            continue


def test_no_line_of_the_main_job_tells_who_the_patient_is_nor_any_secret(
    captured: io.StringIO, product: Product, sandbox: Sandbox,
    desk: httpx.Client, doctor: httpx.Client,
) -> None:  # fmt: skip
    record = job.qualified(desk)
    address = {"lines": [STREET], "city": "VILLE"}
    headers = {"If-Match": desk.get(f"/v1/patients/{record['id']}").headers["ETag"]}
    edit = {"address": address, "phone": PHONE, "billing_number": MATRICULE}
    job.got(desk.patch(f"/v1/patients/{record['id']}", json=edit, headers=headers), 200)
    job.got(desk.post("/v1/patients/search", json={"matricule": MATRICULE}), 200)
    ordered = job.exam(desk, record)
    job.got(job.upload(desk, ordered, job.images(ordered, record)), 200)
    report = job.draft(doctor, ordered)
    job.got(job.sign(doctor, report), 201)
    listed = job.got(doctor.get(f"/v1/reports/{report['id']}/deliveries"), 200)["items"]
    attempts(product, listed)
    browser = Browser(product.url, sandbox.pki.trust, RADIOLOGIST_A)
    browser.sign_in()
    browser.close()
    desk.post("/v1/patients", json={"birth_family": TRAITS["birth_family"], "sex": MATRICULE})
    desk.get(f"/v1/patients/{MATRICULE}", params={"name": TRAITS["birth_family"]})
    desk.get("/v1/deliveries", params={"after": MATRICULE})
    text = captured.getvalue()
    sessions = [*desk.cookies.values(), *doctor.cookies.values()]
    csrf = [desk.headers["X-CSRF-Token"], doctor.headers["X-CSRF-Token"]]
    assert text.count("\n") > 1
    assert "eyJ" not in text  # no JWT
    assert hidden(
        text, MATRICULE, MATRICULE[:13], TRAITS["birth_family"], "DOMINIQUE", STREET, PHONE,
        TRAITS["birth_date"], SECTIONS["conclusion"], API_KEY, CLIENT_SECRET, "id-token",
        "BEGIN PRIVATE KEY", *sessions, *csrf,
    ) == []  # fmt: skip
    rows = job.got(doctor.get(f"/v1/reports/{report['id']}/deliveries"), 200)["items"]
    assert {row["state"] for row in rows} <= {"delivered", "acknowledged"}


def test_a_defect_is_logged_without_what_the_request_held(
    captured: io.StringIO, product: Product, desk: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise ValueError(f"{MATRICULE} {TRAITS['birth_family']}")

    monkeypatch.setattr("ris.identity.service.index", fail)
    answer = desk.post("/v1/patients", json=job.TRAITS)
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    text = captured.getvalue()
    assert "web.defect" in text
    assert hidden(text + answer.text, MATRICULE, TRAITS["birth_family"]) == []


@pytest.mark.parametrize(
    "forged", ["a\nweb.defect error=faux", "x\r\n{}", '"}\n{"event":"auth.login_success"}']
)
def test_a_caller_cannot_write_a_line_of_the_log(
    captured: io.StringIO, product: Product, desk: httpx.Client, forged: str
) -> None:
    desk.get("/v1/rem/" + quote(forged))
    desk.get("/v1/patients", params={"ipp": forged})
    desk.get("/auth/psc/callback", params={"error": forged, "state": forged})
    for line in captured.getvalue().splitlines():
        assert line.startswith("{")
        assert not line.startswith('{"event":"auth.login_success"')
