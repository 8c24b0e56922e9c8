"""Cards that may open a session, and all those that may not: chain, dates, revocation, holder."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from ris.auth.card import holder as card
from ris.auth.card.settings import CardSettings
from ris.auth.card.trust import CardTrust
from ris.auth.errors import CardRefused, CardUnverifiable
from ris.core import clock
from ris.core.crypto import Credential
from ris.sandbox.ocsp import Responder
from ris.sandbox.pki import TestPki
from ris.sandbox.server import serve

DOCTOR = "899700991013"


@pytest.fixture
def cards(tmp_path: Path) -> TestPki:
    """An authority of one's own: tests revoke its cards."""
    return TestPki(tmp_path / "cards")


@pytest.fixture
def settings(cards: TestPki) -> CardSettings:
    name = cards.issuer.load()[0].subject.rfc4514_string()
    return CardSettings(
        enabled=True, trust=cards.trust, crl=cards.crl, person_authorities=(name,)
    )  # fmt: skip


def of(credential: Credential) -> x509.Certificate:
    return credential.load()[0]


def reason(act: Callable[[], object]) -> str:
    with pytest.raises((CardRefused, CardUnverifiable)) as refused:
        act()
    return refused.value.reason


def test_a_cps_names_its_holder(cards: TestPki, settings: CardSettings) -> None:
    certificate = of(cards.person(DOCTOR, "RADIOFICTIF", "Alix"))
    CardTrust(settings).verify(certificate)
    found = card.holder(certificate)
    assert (found.subject_name_id, found.family, found.given) == (DOCTOR, "RADIOFICTIF", "Alix")
    assert found.serial == format(certificate.serial_number, "x")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (("3750012345/CPET00002", "", ""), "NOT_NOMINATIVE"),
        (("3750012345/CPET00003", "EMPLOYEAA", "EMPLOYEAA"), "NOT_NOMINATIVE"),
        (("quelqu'un", "RADIOFICTIF", "Alix"), "NOT_A_PERSON"),
        (("810001234567", "RADIOFICTIF", "Alix"), "NOT_A_PERSON"),
    ],
)
def test_a_card_that_names_nobody_opens_nothing(
    cards: TestPki, written: tuple[str, str, str], why: str
) -> None:
    assert reason(lambda: card.holder(of(cards.person(*written)))) == why


def test_the_signature_certificate_of_a_card_opens_nothing(cards: TestPki) -> None:
    signature = of(cards.person(DOCTOR, "RADIOFICTIF", "Alix", "SIGN"))
    assert reason(lambda: card.holder(signature)) == "WRONG_USAGE"


def test_a_nominative_employee_card_names_its_holder(cards: TestPki) -> None:
    found = card.holder(of(cards.person("3750012345/CPET00004", "SECRETFICTIF", "Camille")))
    assert found.subject_name_id == "3750012345/CPET00004"


def test_a_structure_is_not_a_person(cards: TestPki) -> None:
    software = of(cards.organisation("499700991013001", "AUTH_CLI"))
    assert reason(lambda: card.holder(software)) == "NOT_A_PERSON"


def test_chain_dates_and_authority_are_judged(cards: TestPki, settings: CardSettings) -> None:
    trust = CardTrust(settings)
    assert reason(lambda: trust.verify(of(cards.rogue()))) == "UNTRUSTED"
    assert reason(lambda: trust.verify(of(cards.expired()))) == "EXPIRED"
    mine = of(cards.person(DOCTOR, "RADIOFICTIF", "Alix"))
    assert reason(lambda: trust.verify(_forged(mine, cards))) == "UNTRUSTED"
    only_others = settings.model_copy(update={"person_authorities": ("CN=AC ORGANISATIONS",)})
    assert reason(lambda: CardTrust(only_others).verify(mine)) == "WRONG_AUTHORITY"


def test_a_card_in_the_revocation_list_is_refused_and_no_list_refuses_all(
    cards: TestPki, settings: CardSettings, tmp_path: Path
) -> None:
    lost, kept = (cards.person(n, "FICTIF", "Alix") for n in (DOCTOR, "899700991021"))
    trust = CardTrust(settings)
    trust.verify(of(lost))
    cards.revoke(lost)
    assert reason(lambda: trust.verify(of(lost))) == "REVOKED"
    trust.verify(of(kept))
    absent = settings.model_copy(update={"crl": tmp_path / "absent.pem"})
    assert reason(lambda: CardTrust(absent).verify(of(kept))) == "CRL_UNREADABLE"
    other = settings.model_copy(update={"crl": TestPki(tmp_path / "other").crl})
    assert reason(lambda: CardTrust(other).verify(of(kept))) == "CRL_STALE"


def test_a_list_past_its_end_serves_only_during_the_grace_time(
    cards: TestPki, settings: CardSettings
) -> None:
    end = x509.load_pem_x509_crl(cards.crl.read_bytes()).next_update_utc
    assert end is not None
    long_lived = _lasting(cards)
    with clock.frozen(end + timedelta(hours=2)):
        assert reason(lambda: CardTrust(settings).verify(long_lived)) == "CRL_STALE"
        patient = settings.model_copy(update={"revocation_grace_h": 3})
        CardTrust(patient).verify(long_lived)


def test_ocsp_says_good_revoked_or_nothing(cards: TestPki, settings: CardSettings) -> None:
    responder = Responder(cards)
    mine = cards.person(DOCTOR, "RADIOFICTIF", "Alix")
    with serve(responder.app) as running:
        asking = settings.model_copy(update={"ocsp_url": f"http://127.0.0.1:{running.port}/"})
        trust = CardTrust(asking)
        trust.verify(of(mine))
        assert responder.asked == [of(mine).serial_number]
        responder.unknown = True
        assert reason(lambda: trust.verify(of(mine))) == "OCSP_UNKNOWN"
        responder.unknown, responder.age = False, timedelta(days=1)
        assert reason(lambda: trust.verify(of(mine))) == "OCSP_STALE"
        responder.age, responder.signer = timedelta(), cards.rogue()
        assert reason(lambda: trust.verify(of(mine))) == "OCSP_UNSIGNED"
        responder.signer = cards.organisation("499700991013001", "SIGN")
        assert reason(lambda: trust.verify(of(mine))) == "OCSP_UNSIGNED"
        responder.signer = cards.issuer
        cards.revoke(mine)
        assert reason(lambda: trust.verify(of(mine))) == "REVOKED"
        trust.close()
    assert reason(lambda: CardTrust(asking).verify(of(mine))) == "OCSP_UNREACHABLE"


def _forged(like: x509.Certificate, cards: TestPki) -> x509.Certificate:
    """The same names, issued under the same authority's name by somebody else's key."""
    other = TestPki(cards.directory.parent / "forger")
    forged = of(other.person(DOCTOR, "RADIOFICTIF", "Alix"))
    assert forged.issuer == like.issuer
    return forged


def _lasting(cards: TestPki) -> x509.Certificate:
    """A certificate that outlives the revocation list."""
    subject = of(cards.person(DOCTOR, "RADIOFICTIF", "Alix")).subject
    return of(cards._leaf("lasting", subject, [], days=(-1, 4000)))
