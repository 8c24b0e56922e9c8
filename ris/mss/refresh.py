"""Periodic downloads: the white list of domains and the revocation lists. Edges only.

A failed download keeps the last good copy (mss.md §4, §5.2); the rules are in `whitelist.py` and
`ris.core.crl`.
"""

import httpx
import structlog
from cryptography import x509

from ris.core import clock, crl, http
from ris.core.errors import NotConfigured, Permanent, RisError
from ris.core.settings import HttpSettings
from ris.mss import whitelist
from ris.mss.settings import MssSettings
from ris.rem import satisfies


def refresh_whitelist(settings: MssSettings, transport: HttpSettings) -> int:
    """Fetch the white list and keep it; return how many domains it holds.

    Raises a `RemoteError`, or `WhitelistRefused` with the former list left in place.
    """
    with http.client(trust=settings.trust, settings=transport) as client:
        data = _download(client, settings.whitelist_url)
    settings.whitelist_file.parent.mkdir(parents=True, exist_ok=True)
    return len(whitelist.keep(settings.whitelist_file, data).domains)


@satisfies("RIS.MSS.06", "SC.MSS/CONF.22")
def refresh_crls(settings: MssSettings, transport: HttpSettings) -> int:
    """Fetch every list of `crl_urls`; return how many were renewed. One failure stops no other."""
    if settings.crl is None or settings.trust is None:
        raise NotConfigured("RIS_MSS__CRL et RIS_MSS__TRUST sont requis.", rem=("RIS.MSS.06",))
    anchors = x509.load_pem_x509_certificates(settings.trust.read_bytes())
    kept = crl.read(settings.crl.read_bytes()) if settings.crl.exists() else []
    renewed = 0
    with http.client(trust=settings.trust, settings=transport) as client:
        for url in settings.crl_urls:
            try:
                for fetched in crl.read(_download(client, url)):
                    kept = crl.merge(kept, fetched, anchors, clock.now())
                    renewed += 1
            except RisError as error:
                structlog.get_logger().warning("mss.crl_not_renewed", code=error.code)
    if renewed:
        draft = settings.crl.with_suffix(".new")
        draft.write_bytes(crl.write(kept))
        draft.replace(settings.crl)
    return renewed


def _download(client: httpx.Client, url: str) -> bytes:
    answer = http.call(client, client.build_request("GET", url))
    if answer.status_code != httpx.codes.OK:
        raise Permanent("Téléchargement refusé.", remote_code=str(answer.status_code))
    return answer.content
