"""Downloads of small public files, and of the revocation lists beside the trust anchors.

A failed download keeps the last good copy; which list may replace which is the rule of `crl.py`.
"""

from collections.abc import Iterable
from pathlib import Path

import httpx
import structlog
from cryptography import x509

from ris.core import clock, crl, http
from ris.core.errors import Permanent, RisError
from ris.core.settings import HttpSettings


def fetch(client: httpx.Client, url: str) -> bytes:
    """Return what is at *url*; raises a `RemoteError`."""
    answer = http.call(client, client.build_request("GET", url))
    if answer.status_code != httpx.codes.OK:
        raise Permanent("Téléchargement refusé.", remote_code=str(answer.status_code))
    return answer.content


def refresh_crls(path: Path, urls: Iterable[str], *, trust: Path, transport: HttpSettings) -> int:
    """Fetch every list of *urls* into *path* (PEM); return how many were renewed.

    A list is kept when an authority of *trust* signed it. One failure stops no other.
    """
    anchors = x509.load_pem_x509_certificates(trust.read_bytes())
    kept = crl.read(path.read_bytes()) if path.exists() else []
    renewed = 0
    with http.client(trust=trust, settings=transport) as client:
        for url in urls:
            try:
                for fetched in crl.read(fetch(client, url)):
                    kept = crl.merge(kept, fetched, anchors, clock.now())
                    renewed += 1
            except RisError as error:
                structlog.get_logger().warning("crl.not_renewed", code=error.code)
    if renewed:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_bytes(crl.write(kept))
        draft.replace(path)
    return renewed
