"""In an SCM, INSi is called under the practice of the professional responsible (RIS.AUTH.02).

The proof is the peer certificate that the sandbox saw, never what the product says of itself.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from sqlalchemy import select

from ris.auth import structures
from ris.auth.certificates import service
from ris.auth.certificates.pool import CertificatePool
from ris.auth.certificates.settings import PoolSettings
from ris.auth.errors import CertificateMissing, StructureUnusable
from ris.auth.model import Account, Situation
from ris.auth.rights import Role
from ris.auth.values import Professional, Structure
from ris.core.audit import AuditEvent
from ris.core.crypto import Credential, Keyring, Sealer
from ris.core.db import Database
from ris.identity.feature import IdentityFeature
from ris.identity.foreign.check import ForeignChecks
from ris.identity.foreign.model import ForeignIdentity
from ris.identity.insi.caller import automatic
from ris.identity.insi.errors import InsiCallerMissing
from ris.identity.insi.values import Caller, CallMode
from ris.identity.model import InsiCall
from ris.identity.settings import IdentitySettings, InsiSettings
from ris.rem.evidence import Evidence
from ris.sandbox.pki import TestPki
from tests.auth.certificates.making import issue
from tests.identity.conftest import PATIENT, ClientFor, Desk, Insi
from tests.identity.test_foreign import received
from tests.identity.test_insi import PLAIN

A_RPPS, B_RPPS = "899700991013", "899700991021"
A, B, B_SECOND = "499700991013001", "499700991021004", "499700991021012"
SCM = "300000000991018"
Json = dict[str, Any]


def install(folder: Path, struct: str, usage: str, credential: Credential) -> None:
    (folder / struct).mkdir(exist_ok=True)
    shutil.copy(credential.certificate, folder / struct / f"{usage}.crt")
    shutil.copy(credential.key, folder / struct / f"{usage}.key")


@pytest.fixture
def pool(tmp_path: Path, pki: TestPki) -> CertificatePool:
    """Every practice's certificate, and one of the SCM that must never serve."""
    for struct in (A, B, B_SECOND, SCM):
        manual = pki.organisation(struct, "AUTH_CLI", name="INSI-MANU")
        install(tmp_path, struct, "INSI", manual)
    return CertificatePool(tmp_path)


@pytest.fixture
def scm(database: Database) -> None:
    """The SCM of auth.md §8: Dr A one practice, Dr B two, and staff of the SCM itself."""
    with database.transaction() as session:
        structures.declare(session, SCM, "SCM IMAGERIE FICTIVE", is_scm=True)
        for ps_idnat, held in ((A_RPPS, (A,)), (B_RPPS, (B, B_SECOND))):
            account = Account(ps_idnat=ps_idnat, rpps=ps_idnat[1:], role=Role.RADIOLOGIST)
            session.add(account)
            session.flush()
            session.add_all(situation(account.id, struct) for struct in (*held, SCM))


def situation(account_id: UUID, struct: str) -> Situation:
    return Situation(
        account_id=account_id, profession="10", category="C", specialty="SM44", place=struct,
        mode="L", sector="SA07", struct_idnat=struct, struct_valid=True, technical_id="",
        name="CABINET", address={}, phone="", family="", given="", title="DR",
    )  # fmt: skip


@pytest.fixture
def site(
    insi: Insi, feature: IdentityFeature, pool: CertificatePool, client_for: ClientFor
) -> IdentityFeature:
    """The identity room, calling INSi under the certificates of the pool."""

    def chosen(struct: str, mode: CallMode) -> Credential:
        return pool.insi(struct, automatic=mode is CallMode.AUTOMATIC)

    return replace(feature, insi=client_for(insi.settings, chosen))


def doctor(ps_idnat: str, struct: str) -> Professional:
    return Professional(ps_idnat, "", "", specialty="SM44", structure=Structure(struct, "CABINET"))


def search(api: httpx.Client, patient: Json, **body: Any) -> httpx.Response:
    return api.post(f"/patients/{patient['id']}/insi-search", json=body)


def peer(insi: Insi) -> tuple[str, str]:
    """OU and CN of the certificate that the last call came under."""
    subject = x509.load_pem_x509_certificate(insi.state.peers[-1].encode()).subject
    ou, cn = (
        str(subject.get_attributes_for_oid(oid)[0].value)
        for oid in (NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.COMMON_NAME)
    )
    return ou, cn


@pytest.mark.usefixtures("scm")
@pytest.mark.rem("RIS.AUTH.02", scenario="AUTH/va1.02.01")
def test_each_call_leaves_under_the_practice_of_the_professional_responsible(
    desk: Desk, site: IdentityFeature, insi: Insi, database: Database, evidence: Evidence
) -> None:
    doctor_a = desk(Role.RADIOLOGIST, professional=doctor(A_RPPS, A), feature=site)
    doctor_b = desk(Role.RADIOLOGIST, professional=doctor(B_RPPS, B_SECOND), feature=site)
    employed = desk(Role.SECRETARY, professional=doctor("3SEC", SCM), feature=site)
    secretary = desk(Role.SECRETARY, feature=site)
    patient = secretary.post("/patients", json=PATIENT).json()
    b_at_second = {"ps_idnat": B_RPPS, "struct_idnat": B_SECOND}
    acts: list[tuple[str, httpx.Client, Json, str]] = [
        ("docteur A", doctor_a, {}, A),
        ("docteur B, second cabinet", doctor_b, {}, B_SECOND),
        ("secrétaire, pour A", secretary, {"responsible": {"ps_idnat": A_RPPS}}, A),
        ("secrétaire, pour B", secretary, {"responsible": b_at_second}, B_SECOND),
        ("salariée de la SCM, pour A", employed, {"responsible": {"ps_idnat": A_RPPS}}, A),
    ]
    seen = []
    for who, api, body, wanted in acts:
        answer = search(api, patient, **body)
        assert answer.status_code == 201, answer.text
        assert peer(insi) == (wanted, "INSI-MANU")
        assert f">{wanted}<".encode() in insi.state.requests[-1]
        assert answer.json()["calls"][-1]["struct_idnat"] == wanted
        seen.append(f"{who}: OU={peer(insi)[0]}")
    assert not any(SCM.encode() in one for one in insi.state.requests)
    journal = secretary.get(f"/patients/{patient['id']}/insi-calls").json()["items"]
    assert [call["struct_idnat"] for call in journal] == [wanted for *_, wanted in acts]
    with database.transaction() as session:
        lines = session.scalars(
            select(AuditEvent).where(AuditEvent.action == "insi.called").order_by(AuditEvent.seq)
        ).all()
        assert [line.acting_struct_idnat for line in lines] == [wanted for *_, wanted in acts]
        assert [line.on_behalf_of_id is not None for line in lines] == [False] * 2 + [True] * 3
    evidence.add("01", "peers-seen-by-insi.txt", "\n".join(seen))
    evidence.add("02", "request.xml", insi.state.requests[-1])
    evidence.add("03", "calls.json", {"calls": journal})


@pytest.mark.usefixtures("scm")
@pytest.mark.rem("RIS.AUTH.02", scenario="AUTH/va1.02.01")
@pytest.mark.parametrize(
    ("author", "body", "code"),
    [
        (None, {}, "INSI_CALLER_MISSING"),
        (("3SEC", SCM), {}, "INSI_CALLER_MISSING"),
        (None, {"responsible": {"ps_idnat": "899700999999"}}, "INSI_CALLER_MISSING"),
        (None, {"responsible": {"ps_idnat": B_RPPS}}, "INSI_CALLER_MISSING"),
        (None, {"responsible": {"ps_idnat": A_RPPS, "struct_idnat": B}}, "INSI_CALLER_MISSING"),
        (None, {"responsible": {"ps_idnat": A_RPPS, "struct_idnat": SCM}}, "INSI_CALLER_MISSING"),
        ((B_RPPS, B), {"responsible": {"ps_idnat": A_RPPS}}, "INSI_CALLER_OTHER"),
        (("899700991030", "499700991039001"), {}, "CERTIFICATE_MISSING"),
    ],
)
def test_no_call_leaves_under_the_scm_or_a_colleague(
    desk: Desk,
    site: IdentityFeature,
    insi: Insi,
    *,
    author: tuple[str, str] | None,
    body: Json,
    code: str,
) -> None:
    api = desk(Role.SECRETARY, professional=doctor(*author) if author else None, feature=site)
    patient = api.post("/patients", json=PATIENT).json()
    answer = search(api, patient, **body)
    assert answer.json()["code"] == code
    assert answer.status_code in (403, 409, 503)
    assert insi.state.requests == []


@pytest.mark.usefixtures("scm")
def test_a_desk_is_told_whom_it_may_call_for_and_the_scm_is_nobody(
    desk: Desk, site: IdentityFeature
) -> None:
    listed = desk(Role.SECRETARY, feature=site).get("/insi/practices").json()
    shown = {(one["ps_idnat"], one["struct_idnat"]) for one in listed}
    assert shown == {(A_RPPS, A), (B_RPPS, B), (B_RPPS, B_SECOND)}


@pytest.mark.usefixtures("scm")
def test_an_unattended_call_never_leaves_under_the_scm(
    database: Database, site: IdentityFeature
) -> None:
    scm_only = site.settings.insi.model_copy(update={"structure": SCM})
    with database.transaction() as session:
        assert automatic(session, scm_only, A).structure == A
        with pytest.raises(StructureUnusable):
            automatic(session, scm_only)
        with pytest.raises(InsiCallerMissing):
            automatic(session, InsiSettings())


def test_a_practice_alone_needs_name_nobody(desk: Desk, insi: Insi) -> None:
    api = desk(Role.SECRETARY)
    patient = api.post("/patients", json=PATIENT).json()
    assert search(api, patient).status_code == 201
    assert peer(insi)[0] == insi.settings.structure


def test_an_automatic_call_takes_the_certificate_made_for_it(
    tmp_path: Path, pki: TestPki, pool: CertificatePool
) -> None:
    assert pool.insi(A, automatic=True).certificate.name == "INSI.crt"
    spare = pki.organisation(A, "AUTH_CLI", name="INSI-AUTO")
    install(tmp_path, A, "INSI_AUTO", spare)
    assert pool.insi(A, automatic=True).certificate.name == "INSI_AUTO.crt"
    assert pool.insi(A, automatic=False).certificate.name == "INSI.crt"


@pytest.mark.parametrize(("usage", "name"), [("INSI", "RIS"), ("INSI_AUTO", "INSI-MANU")])
def test_a_certificate_without_the_name_insi_wants_is_refused_before_any_call(
    tmp_path: Path, pki: TestPki, usage: str, name: str
) -> None:
    install(tmp_path, A, usage, pki.organisation(A, "AUTH_CLI", name=name))
    pool = CertificatePool(tmp_path)
    with pytest.raises(CertificateMissing) as caught:
        pool.credential(A, usage)  # type: ignore[arg-type]
    assert caught.value.extensions["reason"] == "WRONG_NAME"
    assert [one.refusal for one in pool.inventory()] == ["WRONG_NAME"]


def test_a_certificate_renewed_on_disk_serves_the_next_call(
    insi: Insi, site: IdentityFeature, tmp_path: Path, pki: TestPki
) -> None:
    caller = Caller(A)
    serials = []
    for organisation in ("CABINET A", "CABINET A RENOUVELE"):
        fresh = pki.organisation(
            f"{A}", "AUTH_CLI", name="INSI-MANU" if not serials else "INSI-AUTO",
            organisation=organisation,
        )  # fmt: skip
        install(tmp_path, A, "INSI", fresh)
        site.require_insi().search(PLAIN, caller=caller, message_id=f"uuid:{uuid4()}")
        certificate = x509.load_pem_x509_certificate(insi.state.peers[-1].encode())
        serials.append(certificate.serial_number)
    assert len(set(serials)) == 2


@pytest.mark.rem("RIS.AUTH.02", scenario="AUTH/va1.02.01")
def test_a_certificate_added_by_another_process_serves_the_next_call_with_no_restart(
    insi: Insi, client_for: ClientFor, tmp_path: Path, pki: TestPki, *, database: Database,
    evidence: Evidence,
) -> None:  # fmt: skip
    keyring = Keyring.generate(tmp_path / "ring.json")
    seen = []

    def office() -> CertificatePool:
        return CertificatePool(tmp_path / "pool", PoolSettings(trust=pki.trust), Sealer(keyring))

    running = office()
    client = client_for(insi.settings, lambda struct, _mode: running.insi(struct, automatic=False))
    for start in (-20, -10):
        offer = issue(pki, A, "INSI", days=(start, 100))
        with database.transaction() as session:
            service.add(session, office(), A, "INSI", offer)
        client.search(PLAIN, caller=Caller(A), message_id=f"uuid:{uuid4()}")
        seen.append(x509.load_pem_x509_certificate(insi.state.peers[-1].encode()).serial_number)
        assert seen[-1] == offer.leaf.serial_number
    assert len(set(seen)) == 2
    evidence.add("02", "replaced-without-restart.txt", "\n".join(f"{one:x}" for one in seen))


@pytest.mark.usefixtures("scm")
def test_an_ins_received_waits_while_no_certificate_can_ask(
    database: Database, site: IdentityFeature, insi: Insi
) -> None:
    received(database, site)
    alone = replace(site, settings=IdentitySettings(insi=insi.settings))
    assert ForeignChecks(database, alone).run() == 1
    with database.transaction() as session:
        row = session.scalars(select(ForeignIdentity)).one()
        assert (row.state, row.error) == ("pending", "CERTIFICATE_MISSING")
        assert session.scalars(select(InsiCall)).all() == []
