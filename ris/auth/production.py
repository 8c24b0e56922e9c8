"""What a production server must not be told: test provider, test identities, clear text (A25).

Rules on settings only, asked once when the server starts.
"""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from ris.auth.certificates.rules import is_test
from ris.auth.settings import AuthSettings
from ris.core.errors import NotConfigured

_TEST_HOST: Final = "bas"


def refuse_test_settings(settings: AuthSettings) -> None:
    """Raise NotConfigured when *settings* are those of a test; the detail names the remedy."""
    psc = settings.psc
    addresses = (
        psc.issuer,
        psc.discovery,
        psc.redirect_uri,
        psc.post_logout_redirect_uri,
        settings.annuaire.url,
    )
    if any(not address.startswith("https://") for address in addresses):
        raise NotConfigured("Les adresses de Pro Santé Connect doivent être en https.")
    if any(_is_test_host(address) for address in (psc.issuer, psc.discovery)):
        raise NotConfigured(
            "RIS_AUTH__PSC__ISSUER désigne le bac à sable : indiquez l'adresse de production."
        )
    if not settings.cookie_secure or settings.allow_test_ids:
        raise NotConfigured("Réglages de test refusés en production (cookie, identités de test).")
    if psc.trust is not None and any(is_test(one.subject) for one in _certificates(psc.trust)):
        raise NotConfigured("Le magasin de confiance contient une autorité de test.")


def _is_test_host(address: str) -> bool:
    return _TEST_HOST in (urlsplit(address).hostname or "").split(".")


def _certificates(bundle: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(bundle.read_bytes())
    except (OSError, ValueError) as error:
        raise NotConfigured("Magasin de confiance de Pro Santé Connect illisible.") from error
