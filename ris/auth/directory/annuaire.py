"""The FHIR client of the Annuaire Santé (mss.md §15.2): requests, pages, errors. No cache."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from ris.auth.directory import fhir
from ris.auth.directory.values import DirectoryEntry
from ris.auth.settings import AnnuaireSettings
from ris.core import clock, http
from ris.core.errors import NotConfigured, Permanent
from ris.core.settings import HttpSettings

_PAGES: Final = 10


class AnnuaireClient:
    """Our subscription to the API; the key travels in `ESANTE-API-KEY`."""

    def __init__(self, settings: AnnuaireSettings) -> None:
        self._settings = settings
        total = settings.timeout_s
        timeouts = HttpSettings(connect_timeout_s=total, total_timeout_s=total)
        self._client = http.client(trust=settings.trust, settings=timeouts)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def by_rpps(self, rpps: str) -> list[DirectoryEntry]:
        """Return the professional of an RPPS, with the mailboxes of his activities."""
        found = self._search("Practitioner", {"identifier": f"{fhir.RPPS_URI}|{rpps}"})
        return [self._with_roles(item) for item in fhir.resources(found, "Practitioner")]

    def by_name(self, family: str, given: str = "") -> list[DirectoryEntry]:
        """Return the active professionals of a name, with their personal mailboxes only."""
        wanted = {"family": family, "active": "true"} | ({"given": given} if given else {})
        found = self._search("Practitioner", wanted)
        now = clock.now()
        return [fhir.entry(item, [], [], now) for item in fhir.resources(found, "Practitioner")]

    def _with_roles(self, practitioner: Mapping[str, Any]) -> DirectoryEntry:
        wanted = {
            "practitioner": str(practitioner.get("id", "")),
            "active": "true",
            "_include": "PractitionerRole:organization",
        }
        found = self._search("PractitionerRole", wanted)
        roles = fhir.resources(found, "PractitionerRole")
        return fhir.entry(practitioner, roles, fhir.resources(found, "Organization"), clock.now())

    def _search(self, kind: str, wanted: Mapping[str, str]) -> Mapping[str, Any]:
        """Return one Bundle holding every page, ten at most and of the same origin only."""
        address: str | None = str(httpx.URL(f"{self._settings.url}/{kind}", params=dict(wanted)))
        entries: list[Any] = []
        for _page in range(_PAGES):
            if address is None or not self._same_origin(address):
                break
            bundle = self._get(address)
            listed = bundle.get("entry")
            entries += listed if isinstance(listed, list) else []
            address = fhir.next_link(bundle)
        return {"resourceType": "Bundle", "entry": entries}

    def _get(self, address: str) -> Mapping[str, Any]:
        key = self._settings.api_key.get_secret_value()
        if not key:
            raise NotConfigured("Renseignez la clé d'API de l'Annuaire Santé (auth.annuaire).")
        headers = {"ESANTE-API-KEY": key, "Accept": "application/fhir+json"}
        answer = http.call(
            self._client, self._client.build_request("GET", address, headers=headers)
        )
        if answer.status_code in (401, 403):
            raise NotConfigured("Clé d'API de l'Annuaire refusée.", code="ANNUAIRE_KEY_REFUSED")
        if answer.status_code != 200:
            raise Permanent(code="ANNUAIRE_REFUSED", remote_code=f"HTTP_{answer.status_code}")
        try:
            bundle = json.loads(answer.content)
        except ValueError as error:
            raise Permanent(code="ANNUAIRE_UNREADABLE") from error
        if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
            raise Permanent(code="ANNUAIRE_UNREADABLE")
        return bundle

    def _same_origin(self, address: str) -> bool:
        ours, theirs = urlsplit(self._settings.url), urlsplit(address)
        return (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc)
