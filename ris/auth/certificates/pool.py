"""The pool of structure certificates: one line per Struct_IdNat and usage (RIS.AUTH.01, AUTH-50).

What lies on disk is read and judged at each call: a certificate added, replaced or retired by
another process counts from the next call on. Which structure acts is decided elsewhere.

A PKCS#11 token would stand beside `Store`: it gives `Credential`s too, whose `load` and `present`
are the only two ways a private key is used (XML signature, TLS); nobody else reads a key file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ris.auth.certificates import rules
from ris.auth.certificates.settings import PoolSettings
from ris.auth.certificates.store import Pair, Store, fingerprint
from ris.auth.certificates.values import USAGES, Held, Refusal, Usage, Warned
from ris.auth.errors import CertificateMissing
from ris.core import clock
from ris.core.chain import ChainBroken, chain
from ris.core.crypto import Credential, Sealer
from ris.core.errors import NotConfigured
from ris.rem import satisfies


@dataclass(frozen=True, slots=True)
class Examined:
    """One pair as found: what an administrator sees of it, and what presents it when readable."""

    pair: Pair
    held: Held
    credential: Credential | None = None


@satisfies("RIS.AUTH.01")
class CertificatePool:
    """The certificates of every practice served, so that each act leaves under its own."""

    def __init__(
        self,
        directory: Path | None,
        settings: PoolSettings = PoolSettings(),  # noqa: B008 - frozen
        sealer: Sealer | None = None,
    ) -> None:
        self.settings = settings
        self.store = Store(directory, sealer)

    def credential(self, struct_idnat: str, usage: Usage) -> Credential:
        """Return the certificate and key of one structure, read and checked at each call.

        The newest usable one serves; a newer one that is refused leaves it in place. `INSI` falls
        back on nothing: INSi wants its own CN (auth.md §7.3). Raises CertificateMissing (code
        `CERTIFICATE_MISSING`, extension `reason`).
        """
        examined = self.examine(struct_idnat, usage)
        for one in examined:
            if one.held.refusal is None and one.credential is not None:
                return one.credential
        reasons = [one.held.refusal for one in examined if one.held.refusal]
        reasons.sort(key=lambda one: one is Refusal.NOT_YET_VALID)
        raise CertificateMissing(
            f"Déposez le certificat {usage} de la structure {struct_idnat}.",
            reason=reasons[0] if reasons else "ABSENT",
            struct_idnat=struct_idnat,
            usage=usage,
        )

    @satisfies("RIS.AUTH.02")
    def insi(self, struct_idnat: str, *, automatic: bool) -> Credential:
        """Return the INSi certificate of one structure, whoever asks: nobody else's ever serves.

        An *automatic* call goes under `INSI_AUTO` where the practice has one. Raises as
        `credential`.
        """
        spare = automatic and self.store.pairs(struct_idnat, "INSI_AUTO")
        return self.credential(struct_idnat, "INSI_AUTO" if spare else "INSI")

    def examine(self, struct_idnat: str, usage: Usage) -> list[Examined]:
        """Return every pair of one structure and usage with its standing, newest first."""
        now = clock.now()
        found = [self._examined(pair, usage, now) for pair in self.store.pairs(struct_idnat, usage)]
        placed = rules.standing([one.held for one in found], now, self.settings.thresholds)
        listed = [replace(one, held=held) for one, held in zip(found, placed, strict=True)]
        return sorted(listed, key=lambda one: rules.recency(one.held), reverse=True)

    def inventory(self) -> list[Held]:
        """Return every certificate of the pool with its state, then those only watched."""
        try:
            authorities = self.authorities()
        except NotConfigured:  # every connection says so, louder
            authorities = []
        held = [
            self._warned(one, authorities)
            for struct_idnat in self.store.structures()
            for usage in USAGES
            for one in self.examine(struct_idnat, usage)
        ]
        return [*held, *self._watched()]

    def authorities(self) -> list[x509.Certificate]:
        """Return the authorities to believe, none where none is set; raises `NotConfigured`."""
        path = self.settings.trust
        try:
            return x509.load_pem_x509_certificates(path.read_bytes()) if path else []
        except (OSError, ValueError) as error:
            raise NotConfigured("RIS_AUTH__POOL__TRUST : autorités illisibles.") from error

    def doubted(
        self, certificates: list[x509.Certificate], authorities: list[x509.Certificate]
    ) -> Refusal | None:
        """Return why the authority of *certificates* (leaf first) is not to be believed, or None.

        Without *authorities* only the names are looked at: no test authority in production (A25).
        """
        leaf, whole = certificates[0], certificates
        if authorities:
            at = max(clock.now(), leaf.not_valid_before_utc)
            try:
                whole = chain(leaf, authorities, at, sent=certificates[1:])
            except ChainBroken:
                return Refusal.UNTRUSTED
        names = [name for one in whole for name in (one.subject, one.issuer)]
        if self.settings.production and any(rules.is_test(name) for name in names):
            return Refusal.TEST_AUTHORITY
        return None

    def _examined(self, pair: Pair, usage: Usage, now: datetime) -> Examined:
        held = Held(pair.struct_idnat, usage, "", None, Refusal.UNREADABLE)
        try:
            leaf = Credential(pair.certificate, pair.key).chain()[0]
            held = _described(held, leaf)
            credential = self.store.credential(pair)
            public = load_pem_private_key(
                pair.key.read_bytes(), credential.passphrase, unsafe_skip_rsa_key_validation=True
            ).public_key()
        except (NotConfigured, OSError, ValueError, TypeError):
            return Examined(pair, held)
        if leaf.public_key() != public:
            return Examined(pair, replace(held, refusal=Refusal.KEY_MISMATCH), credential)
        weak = rules.weak(leaf, self.settings)
        judged = weak or rules.unfit(leaf, pair.struct_idnat, usage, now)
        return Examined(pair, replace(held, refusal=judged), credential)

    def _warned(self, one: Examined, authorities: list[x509.Certificate]) -> Held:
        told = [Warned.CLEAR_KEY] if one.pair.sealed is None else []
        if one.credential is not None:
            doubt = self.doubted(one.credential.chain(), authorities)
            told += [Warned(doubt.lower())] if doubt else []
        return replace(one.held, warnings=tuple(told))

    def _watched(self) -> Iterator[Held]:
        now = clock.now()
        for usage, path in self.settings.watched.items():
            held = Held("", usage, "", None, Refusal.UNREADABLE)
            try:
                leaf = Credential(path, path).chain()[0]
            except NotConfigured:
                yield held
                continue
            unit = next(iter(rules.units_of(leaf)), "")
            told = replace(
                _described(held, leaf), struct_idnat=unit, refusal=rules.out_of_date(leaf, now)
            )
            yield from rules.standing([told], now, self.settings.thresholds)


def _described(held: Held, leaf: x509.Certificate) -> Held:
    return replace(
        held,
        serial=format(leaf.serial_number, "x"),
        fingerprint=fingerprint(leaf),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
    )
