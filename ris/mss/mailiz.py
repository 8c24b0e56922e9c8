"""The operator Mailiz: its SMTP and IMAP profile is the ordinary one; its DST interface is gone.

Only what RIS.MSS.07 asks: the entry points of DST §8.1.1 are settings, shown and never called.
The Mailiz mailbox itself is declared like any other, in `PSC_XOAUTH2` (mss.md §6).
"""

from ris.mss.errors import DstRetired
from ris.mss.settings import DstSettings
from ris.rem import satisfies


@satisfies("RIS.MSS.07")
def entry_points(settings: DstSettings) -> dict[str, str]:
    """Return the configured DST URLs, for the configuration extract; empty when none is set."""
    points = {"base_url": settings.base_url, "idp_url": settings.idp_url}
    return {name: url for name, url in points.items() if url}


@satisfies("RIS.MSS.07")
def open_dst(settings: DstSettings) -> None:
    """Refuse: the DST interface was withdrawn. Always raises `DstRetired`."""
    count = len(entry_points(settings))
    raise DstRetired(
        "L'interface DST de Mailiz a été retirée ; déclarez la boîte en mode PSC_XOAUTH2 "
        f"({count} point(s) d'accès DST configuré(s), inutilisé(s))."
    )
