"""The white list and the revocation lists: the last good copy serves, a doubtful one never."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ris.core import clock, crl
from ris.core.errors import NotConfigured, Permanent
from ris.core.settings import HttpSettings
from ris.mss import whitelist
from ris.mss.errors import MailboxNotConfigured, WhitelistRefused
from ris.mss.operators import check_configuration
from ris.mss.refresh import refresh_crls, refresh_whitelist
from ris.mss.settings import MailboxSettings, MssSettings
from ris.mss.whitelist import WhitelistPolicy, permits
from ris.sandbox.pki import TestPki
from ris.sandbox.server import serve

NOW = datetime.now(UTC)


def _list(*domains: str) -> bytes:
    names = "".join(f"<Domaine><Nom>{name}</Nom></Domaine>" for name in domains)
    return f'<L xmlns="{whitelist.NAMESPACE}">{names}</L>'.encode()


def test_a_list_that_shrinks_too_much_waits_for_a_person(tmp_path: Path) -> None:
    path = tmp_path / "list.xml"
    whitelist.keep(path, _list(*"abcde"))
    whitelist.keep(path, _list(*"abcd"))
    with pytest.raises(WhitelistRefused) as refused:
        whitelist.keep(path, _list(*"abc"))
    assert refused.value.code == "WHITELIST_SHRINKS"
    kept = whitelist.load(path)
    assert kept is not None
    assert kept.domains == set("abcd")
    assert whitelist.keep(path, _list("a"), confirmed=True).domains == {"a"}


@pytest.mark.parametrize("data", [b"", b"<L/>", b"<!DOCTYPE L><L/>"])
def test_a_list_that_cannot_be_read_is_refused(data: bytes) -> None:
    with pytest.raises(WhitelistRefused):
        whitelist.read(data)


def test_without_a_list_only_the_enforce_policy_refuses() -> None:
    assert not permits(None, WhitelistPolicy.ENFORCE, "medecin.mssante.fr")
    assert permits(None, WhitelistPolicy.OFF, "medecin.mssante.fr")


def test_the_lists_are_fetched_over_verified_tls(pki: TestPki, tmp_path: Path) -> None:
    def give(_request: Request) -> Response:
        return Response(_list("medecin.mssante.fr", "patient.mssante.fr"))

    def revoked(_request: Request) -> Response:
        return Response(pki.crl.read_bytes())

    app = Starlette(routes=[Route("/liste.xml", give), Route("/ac.crl", revoked)])
    with serve(app, tls=pki.server()) as running:
        settings = MssSettings(
            trust=pki.trust, crl=tmp_path / "crl.pem", whitelist_file=tmp_path / "new/list.xml",
            whitelist_url=f"{running.url}/liste.xml", crl_urls=(f"{running.url}/ac.crl",),
        )  # fmt: skip
        assert refresh_whitelist(settings, HttpSettings()) == 2
        assert refresh_crls(settings, HttpSettings()) == 2
        assert len(crl.read((tmp_path / "crl.pem").read_bytes())) == 2
        absent = settings.model_copy(update={"whitelist_url": f"{running.url}/absent"})
        with pytest.raises(Permanent):
            refresh_whitelist(absent, HttpSettings())
        broken = settings.model_copy(update={"crl_urls": (f"{running.url}/liste.xml",)})
        assert refresh_crls(broken, HttpSettings()) == 0
    assert len(crl.read((tmp_path / "crl.pem").read_bytes())) == 2


@pytest.mark.rem("RIS.MSS.06", scenario="MSS/va1.05.01")
@pytest.mark.rem("SC.MSS/CONF.22")
def test_an_expired_older_or_foreign_revocation_list_never_replaces_a_good_one(
    pki: TestPki, tmp_path: Path
) -> None:
    anchors = x509.load_pem_x509_certificates(pki.trust.read_bytes())
    good = crl.read(pki.crl.read_bytes())[0]
    assert crl.merge([], good, anchors, clock.now()) == [good]
    with pytest.raises(crl.CrlRefused):
        crl.merge([], good, anchors, NOW + timedelta(days=9999))
    stranger = crl.read(TestPki(tmp_path / "other").crl.read_bytes())[0]
    with pytest.raises(crl.CrlRefused):
        crl.merge([good], stranger, anchors, clock.now())
    pki.revoke(pki.organisation("1750000042", "AUTH_CLI"))
    newer = crl.read(pki.crl.read_bytes())[0]
    assert crl.merge([good], newer, anchors, clock.now()) == [newer]
    with pytest.raises(crl.CrlRefused):
        crl.read(b"not a list")


@pytest.mark.rem("RIS.MSS.17", scenario="MSS/va1.18.01")
def test_an_application_mailbox_without_a_return_address_does_not_start() -> None:
    with pytest.raises(ValueError, match=r"RIS\.MSS\.11"):
        MailboxSettings(address="envoi@lilas.test.mssante.fr", label="Imagerie")


def test_a_site_that_sends_without_anchors_or_operator_does_not_start(pki: TestPki) -> None:
    box = MailboxSettings(
        address="envoi@lilas.test.mssante.fr", label="Imagerie", reply_to="s@lilas.test.mssante.fr"
    )
    check_configuration(MssSettings())
    with pytest.raises(NotConfigured):
        check_configuration(MssSettings(mailboxes=(box,)))
    with pytest.raises(MailboxNotConfigured) as refused:
        check_configuration(MssSettings(mailboxes=(box,), trust=pki.trust))
    assert refused.value.code == "NO_SERVER_FOR_DOMAIN"
