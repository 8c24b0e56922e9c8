"""The white list of MSSanté domains: reading it, asking it, refusing a suspicious update.

An exact match on the normalised domain, never a suffix test (mss.md §4). The list comes over TLS
from the ANS; its XML signature profile is not published where we could read it [?], so trust
rests on the channel.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from ris.core.xml import UnsafeXml, parse
from ris.mss.errors import WhitelistRefused

NAMESPACE: Final = "https://listeblanche.mssante.fr/schema"
_SHRINK: Final = 0.8


class WhitelistPolicy(StrEnum):
    """What an unlisted domain means here."""

    ENFORCE = "enforce"
    WARN = "warn"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Whitelist:
    """The allowed domains, normalised (lower case, IDNA)."""

    domains: frozenset[str]

    def allows(self, domain: str) -> bool:
        """Say whether *domain* itself is listed; a sub-domain of a listed one is not."""
        return normalise(domain) in self.domains


def normalise(domain: str) -> str:
    """Return *domain* in lower-case A-labels; an empty string when it is not a domain."""
    try:
        return domain.strip().rstrip(".").lower().encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def domain_of(address: str) -> str:
    """Return the domain of a mail *address*."""
    return address.rpartition("@")[2]


def read(data: bytes) -> Whitelist:
    """Return the list held in XML *data*. Raises `WhitelistRefused`."""
    try:
        root = parse(data, limit=20_000_000)
    except UnsafeXml as error:
        raise WhitelistRefused("La liste blanche reçue n'est pas un XML acceptable.") from error
    names = root.iterfind(f".//{{{NAMESPACE}}}Domaine/{{{NAMESPACE}}}Nom")
    domains = frozenset(filter(None, (normalise(name.text or "") for name in names)))
    if not domains:
        raise WhitelistRefused("La liste blanche reçue ne contient aucun domaine.")
    return Whitelist(domains)


def believable(previous: Whitelist | None, new: Whitelist) -> bool:
    """Say whether *new* may replace *previous* without a person: it lost at most 20 %."""
    return previous is None or len(new.domains) >= _SHRINK * len(previous.domains)


def load(path: Path) -> Whitelist | None:
    """Return the last good copy kept at *path*, or None when there is none."""
    return read(path.read_bytes()) if path.exists() else None


def keep(path: Path, data: bytes, *, confirmed: bool = False) -> Whitelist:
    """Check *data* and make it the kept copy; a refused list leaves the old one in place."""
    new = read(data)
    if not confirmed and not believable(load(path), new):
        raise WhitelistRefused(
            "La nouvelle liste blanche perd plus de 20 % de ses domaines : confirmation requise.",
            code="WHITELIST_SHRINKS",
        )
    draft = path.with_suffix(".new")
    draft.write_bytes(data)
    draft.replace(path)
    return new


def permits(whitelist: Whitelist | None, policy: WhitelistPolicy, domain: str) -> bool:
    """Say whether a message may go to *domain*; without a list, `enforce` refuses everything."""
    if policy is not WhitelistPolicy.ENFORCE:
        return True
    return whitelist is not None and whitelist.allows(domain)
