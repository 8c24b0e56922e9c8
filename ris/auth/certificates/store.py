"""Where certificates and keys lie on disk, and how a pair comes and goes whole.

`<directory>/<struct_idnat>/<usage>.d/<fingerprint>/` holds `certificate.pem` (leaf first),
`key.pem` (encrypted PKCS#8) and `passphrase` (sealed by the site's key ring for this structure,
usage and certificate). The folder appears and disappears in one rename: whoever reads sees all of
it or nothing. `<directory>/<struct_idnat>/<usage>.crt` and `.key`, dropped by hand, serve too: such
a key is in clear. What a certificate must be is not known here.
"""

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from ris.auth.certificates.errors import CertificateKnown, PoolReadOnly
from ris.auth.identifiers import structure
from ris.core.crypto import Credential, Envelope, PrivateKey, SealBroken, Sealer
from ris.core.errors import NotConfigured

_CERTIFICATE: Final = "certificate.pem"
_KEY: Final = "key.pem"
_PASSPHRASE: Final = "passphrase"  # noqa: S105 - the name of a file
_HIDDEN: Final = "."


@dataclass(frozen=True, slots=True)
class Pair:
    """One certificate and its key; *sealed* holds the passphrase, None for a key in clear."""

    struct_idnat: str
    usage: str
    certificate: Path
    key: Path
    sealed: Path | None = None


class Store:
    """The pairs under *directory*; *sealer* opens and seals the passphrases of their keys."""

    def __init__(self, directory: Path | None, sealer: Sealer | None) -> None:
        self._directory = directory
        self._sealer = sealer

    def structures(self) -> list[str]:
        """Return the structures that have a folder."""
        if self._directory is None or not self._directory.is_dir():
            return []
        found = sorted(path.name for path in self._directory.iterdir() if path.is_dir())
        return [name for name in found if structure(name).valid]

    def pairs(self, struct_idnat: str, usage: str) -> list[Pair]:
        """Return the whole pairs of one structure and usage, in no order."""
        if self._directory is None or not structure(struct_idnat).valid:
            return []  # also keeps a path out of the file name
        base = self._directory / struct_idnat
        found = [Pair(struct_idnat, usage, base / f"{usage}.crt", base / f"{usage}.key")]
        with suppress(OSError):
            for folder in (base / f"{usage}.d").iterdir():
                if not folder.name.startswith(_HIDDEN):
                    found.append(_kept(struct_idnat, usage, folder))
        return [one for one in found if one.certificate.is_file() and one.key.is_file()]

    def credential(self, pair: Pair) -> Credential:
        """Return what presents *pair*, its passphrase opened; raises `NotConfigured`."""
        if pair.sealed is None:
            return Credential(pair.certificate, pair.key)
        try:
            blob = pair.sealed.read_bytes()
            opened = self._needed().open(blob, _context(pair))
        except (OSError, SealBroken) as error:
            raise NotConfigured("Mot de passe de la clé privée illisible.") from error
        return Credential(pair.certificate, pair.key, opened)

    def place(
        self, struct_idnat: str, usage: str, chain: Sequence[x509.Certificate], key: PrivateKey
    ) -> Pair:
        """Write a pair and make it appear, whole; the key is never on disk in clear.

        Raises `CertificateKnown` when it is there already, `PoolReadOnly`.
        """
        if self._directory is None:
            raise PoolReadOnly("Indiquez le dossier des certificats : RIS_AUTH__CERTIFICATES.")
        room = self._directory / struct_idnat / f"{usage}.d"
        pair = _kept(struct_idnat, usage, room / fingerprint(chain[0]))
        passphrase = secrets.token_urlsafe(32).encode()
        locked = BestAvailableEncryption(passphrase)
        contents = {
            _CERTIFICATE: b"".join(one.public_bytes(Encoding.PEM) for one in chain),
            _KEY: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked),
            _PASSPHRASE: self._needed().seal(passphrase, _context(pair)),
        }
        if pair.key.parent.exists():
            raise CertificateKnown
        fresh = room / f"{_HIDDEN}{secrets.token_hex(8)}"
        try:
            for folder in (self._directory, room.parent, room):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.mkdir(mode=0o700)
            for name, content in contents.items():
                _write(fresh / name, content)
            _sync(fresh)
            fresh.rename(pair.key.parent)
            for folder in (room, room.parent, self._directory):
                _sync(folder)
        except OSError as error:
            shutil.rmtree(fresh, ignore_errors=True)
            if pair.key.parent.exists():  # another process was quicker
                raise CertificateKnown from error
            raise PoolReadOnly(f"Impossible d'écrire dans {self._directory}.") from error
        return pair

    def remove(self, pair: Pair) -> None:
        """Make *pair* disappear and destroy its key; raises `PoolReadOnly`."""
        try:
            if pair.sealed is None:
                pair.key.unlink(missing_ok=True)
                pair.certificate.unlink(missing_ok=True)
                _sync(pair.key.parent)
                return
            folder = pair.key.parent
            gone = folder.with_name(f"{_HIDDEN}{secrets.token_hex(8)}")
            folder.rename(gone)
            shutil.rmtree(gone)
            _sync(folder.parent)
        except FileNotFoundError:
            return  # another process was quicker
        except OSError as error:
            raise PoolReadOnly(f"Impossible d'écrire dans {self._directory}.") from error

    def sealed(self) -> Iterator[Pair]:
        """Yield every pair whose passphrase is sealed."""
        for struct_idnat in self.structures():
            for room in sorted((self._directory or Path()).joinpath(struct_idnat).glob("*.d")):
                usage = room.name.removesuffix(".d")
                yield from (one for one in self.pairs(struct_idnat, usage) if one.sealed)

    def _needed(self) -> Sealer:
        if self._sealer is None:
            raise NotConfigured("Trousseau de clés absent : RIS_KEYRING.")
        return self._sealer


def rewrap(store: Store, sealer: Sealer, kek_id: str) -> tuple[int, int]:
    """Wrap anew, under *kek_id* (the current one), the passphrases that are under another key.

    Return how many were done and how many no key of the ring opens. Each is replaced in one step:
    a process that reads meanwhile opens the former or the new one.
    """
    done = lost = 0
    for pair in store.sealed():
        path = pair.key.with_name(_PASSPHRASE)
        try:
            kept = Envelope.unpack(path.read_bytes())
            if kept.kek_id == kek_id:
                continue
            _replace(path, sealer.rewrap(kept).pack())
            done += 1
        except FileNotFoundError:
            continue  # retired meanwhile
        except OSError as error:
            raise PoolReadOnly(f"Impossible d'écrire dans {path.parent}.") from error
        except SealBroken:
            lost += 1
    return done, lost


def fingerprint(certificate: x509.Certificate) -> str:
    """Return what names a certificate on disk and in the journal: half its SHA-256."""
    return certificate.fingerprint(SHA256()).hex()[:32]


def _kept(struct_idnat: str, usage: str, folder: Path) -> Pair:
    return Pair(struct_idnat, usage, folder / _CERTIFICATE, folder / _KEY, folder / _PASSPHRASE)


def _context(pair: Pair) -> bytes:
    name = pair.key.parent.name
    return f"ris.certificate.key.v1|{pair.struct_idnat}|{pair.usage}|{name}".encode()


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f"{_HIDDEN}{secrets.token_hex(8)}")
    _write(fresh, content)
    fresh.replace(path)
    _sync(path.parent)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make the names in *folder* last beyond a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
