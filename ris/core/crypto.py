"""Keys at rest: the certificates the site owns, and the envelope that seals stored secrets.

No algorithm of our own and no transport: AES-256-GCM and RFC 3394 key wrap from `cryptography`.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import ssl
import struct
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ris.core.errors import NotConfigured, RisError

PrivateKey = rsa.RSAPrivateKey
_MAGIC: Final = b"RIS1"
_NONCE: Final = 12


class SealBroken(RisError):
    """The sealed bytes are altered, of another context, or of a key that is not in the keyring."""

    code = "SEAL_BROKEN"
    title = "Donnée chiffrée illisible"


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate and its key: PEM files. The first may go on with the chain, leaf first.

    *passphrase* opens a key that is encrypted at rest (PKCS#8): it lives in memory only.
    """

    certificate: Path
    key: Path
    passphrase: bytes | None = field(default=None, repr=False)

    def load(self) -> tuple[x509.Certificate, PrivateKey]:
        """Return the leaf certificate and the RSA key; `NotConfigured` when they cannot be read."""
        try:
            key = _private_key(self.key.read_bytes(), self.passphrase)
        except (OSError, ValueError, TypeError) as error:
            raise NotConfigured("Clé privée illisible.") from error
        if not isinstance(key, rsa.RSAPrivateKey):
            raise NotConfigured("La clé privée doit être une clé RSA.")
        return self.chain()[0], key

    def chain(self) -> list[x509.Certificate]:
        """Return every certificate of the file, leaf first."""
        try:
            return x509.load_pem_x509_certificates(self.certificate.read_bytes())
        except (OSError, ValueError) as error:
            raise NotConfigured("Certificat illisible.") from error

    def present(self, tls: ssl.SSLContext) -> None:
        """Let *tls* show this certificate; raises `OSError` (`ssl.SSLError`) when it cannot.

        An encrypted key without its passphrase is an error: OpenSSL must not ask at the terminal.
        """
        tls.load_cert_chain(self.certificate, self.key, password=self.passphrase or b"")


@lru_cache(maxsize=32)
def _private_key(pem: bytes, passphrase: bytes | None) -> PrivateKeyTypes:
    """Return the key of a file's bytes: checking an RSA key takes 30 ms, each message needs one."""
    return load_pem_private_key(pem, passphrase)


class KeyReadOnly(RisError):
    """The key ring cannot be written where it stands: read-only file, folder or mount."""

    code = "KEYRING_READ_ONLY"
    title = "Trousseau de clés en lecture seule"


class KeyWrapper(Protocol):
    """What the sealer needs of a keyring: an HSM or a KMS may stand here."""

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        """Return the id of the current key-encryption key and *key* wrapped under it."""
        ...

    def unwrap(self, kek_id: str, wrapped: bytes) -> bytes:
        """Return the key inside *wrapped*; raises `SealBroken`."""
        ...

    def mac(self, data: bytes) -> bytes:
        """Return the HMAC-SHA-256 of *data* under the search key, which no rotation changes."""
        ...


class Keyring:
    """Keys in a 0600 file: `{"current": "k1", "keys": {"k1": "<base64>"}, "search": "<base64>"}`.

    *keys* wrap data keys and rotate; *search* keys the digests of equality search and stays. Read
    from a file, it is read again when the file changed: another process rotated.
    """

    def __init__(
        self,
        current: str,
        keys: dict[str, bytes],
        path: Path | None = None,
        search: bytes | None = None,
    ) -> None:
        self._search = _derived(keys) if search is None else search
        if current not in keys or any(len(key) != 32 for key in (*keys.values(), self._search)):
            raise NotConfigured("Trousseau de clés invalide.")
        self.current = current
        self._keys = keys
        self._path = path
        self._read_at = _changed_at(path)

    @classmethod
    def from_file(cls, path: Path) -> "Keyring":
        """Read *path*; raises `NotConfigured` when it is absent, invalid or readable by others."""
        try:
            read_at = _changed_at(path)
            if path.stat().st_mode & 0o077:
                raise NotConfigured("Le trousseau de clés doit être en mode 0600.")
            content = json.loads(path.read_text(encoding="utf-8"))
            keys = {name: base64.b64decode(key) for name, key in content["keys"].items()}
            search = base64.b64decode(content["search"]) if "search" in content else None
            keyring = cls(content["current"], keys, path, search)
            keyring._read_at = read_at
            return keyring
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise NotConfigured("Trousseau de clés illisible.") from error

    @classmethod
    def generate(cls, path: Path) -> "Keyring":
        """Create *path* with fresh keys; raises `FileExistsError` rather than overwrite keys.

        Raises `KeyReadOnly` where no file may be made.
        """
        keyring = cls("k1", {"k1": secrets.token_bytes(32)}, path, secrets.token_bytes(32))
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        keyring._write(fresh)
        try:
            os.link(fresh, path)  # whole or absent, and never over another one
        except FileExistsError:
            raise
        except OSError as error:
            raise _read_only(path) from error
        finally:
            fresh.unlink()
        return keyring

    def rotate(self, path: Path) -> "Keyring":
        """Add a fresh current key and replace *path* atomically; the former keys stay readable.

        Raises `KeyReadOnly` when *path* cannot be replaced: nothing has changed then.
        """
        name = f"k{1 + max(int(known.removeprefix('k')) for known in self._keys)}"
        keys = {**self._keys, name: secrets.token_bytes(32)}
        keyring = Keyring(name, keys, path, self._search)
        fresh = path.with_name(path.name + ".new")
        try:
            fresh.unlink(missing_ok=True)
            keyring._write(fresh)
            fresh.replace(path)
        except OSError as error:
            raise _read_only(path) from error
        return keyring

    @property
    def key_bits(self) -> int:
        """The size of the current key-encryption key."""
        return 8 * len(self._keys[self.current])

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        """Return the current key's id and *key* wrapped under it (RFC 3394)."""
        if (changed_at := _changed_at(self._path)) and changed_at != self._read_at:
            self._read_again()
        return self.current, aes_key_wrap(self._keys[self.current], key)

    def unwrap(self, kek_id: str, wrapped: bytes) -> bytes:
        """Return the key inside *wrapped*; raises `SealBroken`, `NotConfigured`."""
        if kek_id not in self._keys:
            self._read_again()
        try:
            return aes_key_unwrap(self._keys[kek_id], wrapped)
        except (KeyError, InvalidUnwrap, ValueError) as error:
            raise SealBroken from error

    def mac(self, data: bytes) -> bytes:
        """Return the HMAC-SHA-256 of *data* under the search key."""
        return hmac.digest(self._search, data, hashlib.sha256)

    def _read_again(self) -> None:
        if self._path is not None:
            fresh = Keyring.from_file(self._path)
            self._keys, self.current = fresh._keys, fresh.current
            self._read_at = fresh._read_at

    def _write(self, path: Path) -> None:
        held = {name: base64.b64encode(key).decode() for name, key in self._keys.items()}
        search = base64.b64encode(self._search).decode()
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except OSError as error:
            raise _read_only(path) from error
        with os.fdopen(descriptor, "w") as file:
            file.write(json.dumps({"current": self.current, "keys": held, "search": search}))
            file.flush()
            os.fsync(file.fileno())


def _derived(keys: dict[str, bytes]) -> bytes:
    """Return the search key of a ring made before it held one: of its first key (RFC 5869)."""
    first = min(keys, key=lambda name: (len(name), name), default="")
    return HKDF(SHA256(), 32, None, b"ris.search.v1").derive(keys.get(first, b""))


def _changed_at(path: Path | None) -> tuple[int, int] | None:
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino) if found else None


def _read_only(path: Path) -> KeyReadOnly:
    return KeyReadOnly(
        f"Impossible d'écrire {path.name} dans {path.parent} : ce dossier doit exister et être"
        " inscriptible par le compte qui lance la commande, et le trousseau n'être ni un montage"
        " ni un secret en lecture seule. Aucune clé n'a changé."
    )


@dataclass(frozen=True, slots=True)
class Envelope:
    """The parts of sealed bytes, for whoever stores them in columns (engineering.md §2.5)."""

    kek_id: str
    wrapped_key: bytes
    nonce: bytes
    ciphertext: bytes

    def pack(self) -> bytes:
        """Return one blob: magic, length-prefixed key id and wrapped key, nonce, ciphertext."""
        name = self.kek_id.encode()
        sizes = struct.pack(">BB", len(name), len(self.wrapped_key))
        return b"".join((_MAGIC, sizes, name, self.wrapped_key, self.nonce, self.ciphertext))

    @classmethod
    def unpack(cls, blob: bytes) -> "Envelope":
        """Return the parts of *blob*; raises `SealBroken` when it is not one of ours."""
        if blob[:4] != _MAGIC or len(blob) < 6:
            raise SealBroken
        name, key = 6 + blob[4], 6 + blob[4] + blob[5]
        try:
            kek_id = blob[6:name].decode()
        except UnicodeDecodeError as error:
            raise SealBroken from error
        return cls(kek_id, blob[name:key], blob[key : key + _NONCE], blob[key + _NONCE :])


class Sealer:
    """Seals bytes: AES-256-GCM under a fresh data key each time, itself wrapped by the keyring.

    *context* says whose the bytes are (`b"ris.id_copy.v1|<id>|<patient_id>"`): bytes moved to
    another context do not open.
    """

    def __init__(self, keyring: KeyWrapper) -> None:
        self._keyring = keyring

    def encrypt(self, plain: bytes, context: bytes) -> Envelope:
        """Return *plain* sealed for *context*, in parts."""
        key, nonce = AESGCM.generate_key(256), secrets.token_bytes(_NONCE)
        return Envelope(*self._keyring.wrap(key), nonce, AESGCM(key).encrypt(nonce, plain, context))

    def decrypt(self, sealed: Envelope, context: bytes) -> bytes:
        """Return the plain bytes; raises `SealBroken`."""
        key = self._keyring.unwrap(sealed.kek_id, sealed.wrapped_key)
        try:
            return AESGCM(key).decrypt(sealed.nonce, sealed.ciphertext, context)
        except (InvalidTag, ValueError) as error:
            raise SealBroken from error

    def rewrap(self, sealed: Envelope) -> Envelope:
        """Return *sealed* under the current key-encryption key; nonce and ciphertext unchanged."""
        key = self._keyring.unwrap(sealed.kek_id, sealed.wrapped_key)
        kek_id, wrapped = self._keyring.wrap(key)
        return replace(sealed, kek_id=kek_id, wrapped_key=wrapped)

    def digest(self, value: bytes, purpose: bytes) -> bytes:
        """Return what stands for *value* in an equality search: HMAC-SHA-256, one per purpose."""
        return self._keyring.mac(purpose + b"|" + value)

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Return *plain* sealed for *context*, as one blob."""
        return self.encrypt(plain, context).pack()

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the plain bytes of a blob; raises `SealBroken`."""
        return self.decrypt(Envelope.unpack(sealed), context)
