"""What protects a copy, measured on the code that runs: sizes come from a real sealing.

Nothing is declared here that could differ from what is done; wording is `document.py`.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ris.auth.rights import Permission, Role, allowed
from ris.auth.settings import AuthSettings
from ris.core.crypto import Keyring, Sealer
from ris.identity.copies.activity import ActivitySource
from ris.identity.copies.media import SIGNATURES, MediaType
from ris.identity.copies.purge import EVERY_S
from ris.identity.copies.routes import ERASE, HEADERS, READ, STORE
from ris.identity.copies.service import context
from ris.identity.copies.signature import FORMAT, SIGNED
from ris.identity.settings import IdentitySettings

_RFC_3394_OVERHEAD = 8


@dataclass(frozen=True, slots=True)
class Envelope:
    """Sizes in bits of one sealing, and the mode of a key ring just made."""

    data_key: int
    nonce: int
    tag: int
    key_encryption_key: int
    keyring_mode: str


@dataclass(frozen=True, slots=True)
class Parameters:
    """Everything the security document says of values."""

    envelope: Envelope
    bound_to: str
    settings: IdentitySettings
    activities: tuple[str, ...]
    purge_every_s: int
    step_up_s: int
    signatures: dict[MediaType, bytes]
    headers: dict[str, str]
    roles: dict[Permission, tuple[Role, ...]]
    record_format: str
    record_fields: tuple[str, ...]


def parameters(sources: tuple[ActivitySource, ...]) -> Parameters:
    """Return the parameters in force with the default settings and these activities."""
    return Parameters(
        envelope=_measured(),
        bound_to=context("<copie>", "<patient>").decode(),
        settings=IdentitySettings(),
        activities=tuple(source.label for source in sources),
        purge_every_s=EVERY_S,
        step_up_s=AuthSettings().step_up_max_age_s,
        signatures=SIGNATURES,
        headers=HEADERS,
        roles={right: _holders(right) for right in (STORE, READ, ERASE)},
        record_format=FORMAT,
        record_fields=SIGNED,
    )


def _measured() -> Envelope:
    plain = bytes(1000)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "keyring.json"
        keyring = Keyring.generate(path)
        sealed = Sealer(keyring).encrypt(plain, b"")
        return Envelope(
            data_key=8 * (len(sealed.wrapped_key) - _RFC_3394_OVERHEAD),
            nonce=8 * len(sealed.nonce),
            tag=8 * (len(sealed.ciphertext) - len(plain)),
            key_encryption_key=keyring.key_bits,
            keyring_mode=f"{path.stat().st_mode & 0o777:04o}",
        )


def _holders(permission: Permission) -> tuple[Role, ...]:
    return tuple(role for role in Role if allowed(role, permission))
