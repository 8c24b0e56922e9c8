"""Keys at rest: the certificates the site owns, and the envelope that seals stored secrets.

No algorithm of our own and no transport: AES-256-GCM and RFC 3394 key wrap from `cryptography`.
"""

import base64
import json
import os
import secrets
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
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
    """A certificate and its key: PEM files. The first may go on with the chain, leaf first."""

    certificate: Path
    key: Path

    def load(self) -> tuple[x509.Certificate, PrivateKey]:
        """Return the leaf certificate and the RSA key; `NotConfigured` when they cannot be read."""
        try:
            key = load_pem_private_key(self.key.read_bytes(), None)
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


class KeyWrapper(Protocol):
    """What the sealer needs of a keyring: an HSM or a KMS may stand here."""

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        """Return the id of the current key-encryption key and *key* wrapped under it."""
        ...

    def unwrap(self, kek_id: str, wrapped: bytes) -> bytes:
        """Return the key inside *wrapped*; raises `SealBroken`."""
        ...


class Keyring:
    """Key-encryption keys in a 0600 file: `{"current": "k1", "keys": {"k1": "<base64>"}}`.

    Read from a file, it reads it again when it meets a key it does not know: another process
    rotated.
    """

    def __init__(self, current: str, keys: dict[str, bytes], path: Path | None = None) -> None:
        if current not in keys or any(len(key) != 32 for key in keys.values()):
            raise NotConfigured("Trousseau de clés invalide.")
        self.current = current
        self._keys = keys
        self._path = path

    @classmethod
    def from_file(cls, path: Path) -> "Keyring":
        """Read *path*; raises `NotConfigured` when it is absent, invalid or readable by others."""
        try:
            if path.stat().st_mode & 0o077:
                raise NotConfigured("Le trousseau de clés doit être en mode 0600.")
            content = json.loads(path.read_text(encoding="utf-8"))
            keys = {name: base64.b64decode(key) for name, key in content["keys"].items()}
            return cls(content["current"], keys, path)
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise NotConfigured("Trousseau de clés illisible.") from error

    @classmethod
    def generate(cls, path: Path) -> "Keyring":
        """Create *path* with one fresh key; raises `FileExistsError` rather than overwrite keys."""
        keyring = cls("k1", {"k1": secrets.token_bytes(32)}, path)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(keyring._json())
        return keyring

    def rotate(self, path: Path) -> "Keyring":
        """Add a fresh current key and replace *path* atomically; the former keys stay readable."""
        name = f"k{1 + max(int(known.removeprefix('k')) for known in self._keys)}"
        keyring = Keyring(name, {**self._keys, name: secrets.token_bytes(32)}, path)
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(keyring._json())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        return keyring

    @property
    def key_bits(self) -> int:
        """The size of the current key-encryption key."""
        return 8 * len(self._keys[self.current])

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        """Return the current key's id and *key* wrapped under it (RFC 3394)."""
        return self.current, aes_key_wrap(self._keys[self.current], key)

    def unwrap(self, kek_id: str, wrapped: bytes) -> bytes:
        """Return the key inside *wrapped*; raises `SealBroken`, `NotConfigured`."""
        if kek_id not in self._keys and self._path is not None:
            fresh = Keyring.from_file(self._path)
            self._keys, self.current = fresh._keys, fresh.current
        try:
            return aes_key_unwrap(self._keys[kek_id], wrapped)
        except (KeyError, InvalidUnwrap, ValueError) as error:
            raise SealBroken from error

    def _json(self) -> str:
        keys = {name: base64.b64encode(key).decode() for name, key in self._keys.items()}
        return json.dumps({"current": self.current, "keys": keys})


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

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Return *plain* sealed for *context*, as one blob."""
        return self.encrypt(plain, context).pack()

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the plain bytes of a blob; raises `SealBroken`."""
        return self.decrypt(Envelope.unpack(sealed), context)
