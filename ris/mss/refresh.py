"""Periodic downloads: the white list of domains and the revocation lists. Edges only.

A failed download keeps the last good copy (mss.md §4, §5.2); the rules are in `whitelist.py` and
`ris.core.crl`.
"""

from ris.core import download, http
from ris.core.errors import NotConfigured
from ris.core.settings import HttpSettings
from ris.mss import whitelist
from ris.mss.settings import MssSettings
from ris.rem import satisfies


def refresh_whitelist(settings: MssSettings, transport: HttpSettings) -> int:
    """Fetch the white list and keep it; return how many domains it holds.

    Raises a `RemoteError`, or `WhitelistRefused` with the former list left in place.
    """
    with http.client(trust=settings.trust, settings=transport) as client:
        data = download.fetch(client, settings.whitelist_url)
    settings.whitelist_file.parent.mkdir(parents=True, exist_ok=True)
    return len(whitelist.keep(settings.whitelist_file, data).domains)


@satisfies("RIS.MSS.06", "SC.MSS/CONF.22")
def refresh_crls(settings: MssSettings, transport: HttpSettings) -> int:
    """Fetch every list of `crl_urls`; return how many were renewed. One failure stops no other."""
    if settings.crl is None or settings.trust is None:
        raise NotConfigured("RIS_MSS__CRL et RIS_MSS__TRUST sont requis.", rem=("RIS.MSS.06",))
    return download.refresh_crls(
        settings.crl, settings.crl_urls, trust=settings.trust, transport=transport
    )
