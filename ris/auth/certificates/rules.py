"""When a certificate may serve a structure, and which of several does. Pure: no clock, no file.

The same rule judges a certificate brought to the pool, one dropped there by hand, and one about to
be used by a channel. Whether its authority is believed is `ris.core.chain`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ris.auth.certificates.settings import PoolSettings
from ris.auth.certificates.values import Held, Refusal, State
from ris.rem import satisfies

_NAMES: Final[dict[str, frozenset[str]]] = {
    "INSI": frozenset({"INSI-MANU", "INSI-AUTO"}),
    "INSI_AUTO": frozenset({"INSI-AUTO"}),
}
_DAY: Final = timedelta(days=1)
_TEST: Final = "TEST "


@satisfies("RIS.AUTH.01", "RIS.AUTH.02")
def unfit(
    certificate: x509.Certificate, struct_idnat: str, usage: str, at: datetime
) -> Refusal | None:
    """Return why *certificate* may not serve *struct_idnat* for *usage* at *at*, or None.

    INSi wants a name of its own (auth.md §7.3). Signing asks for `digitalSignature` and
    `nonRepudiation` together [K]; everything else for `clientAuth`. Dates are looked at last.
    """
    if units_of(certificate) != [struct_idnat]:
        return Refusal.OTHER_STRUCTURE
    if usage in _NAMES and _first_name(certificate) not in _NAMES[usage]:
        return Refusal.WRONG_NAME
    if not (_may_sign(certificate) if usage == "SIGN" else _may_authenticate(certificate)):
        return Refusal.WRONG_USAGE
    return out_of_date(certificate, at)


def weak(certificate: x509.Certificate, floor: PoolSettings) -> Refusal | None:
    """Return `KEY_WEAK` for a key that is not RSA or below *floor*, or a signature that is."""
    key, digest = certificate.public_key(), certificate.signature_hash_algorithm
    strong = isinstance(key, rsa.RSAPublicKey) and key.key_size >= floor.rsa_bits
    known = digest is not None and digest.name in floor.hashes
    return None if strong and known else Refusal.KEY_WEAK


def out_of_date(certificate: x509.Certificate, at: datetime) -> Refusal | None:
    """Return `NOT_YET_VALID`, `EXPIRED` or None."""
    if at < certificate.not_valid_before_utc:
        return Refusal.NOT_YET_VALID
    return Refusal.EXPIRED if at >= certificate.not_valid_after_utc else None


def units_of(certificate: x509.Certificate) -> list[str]:
    """Return the `OU`s of a certificate: the structure it belongs to."""
    found = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    return [str(one.value) for one in found]


def is_test(name: x509.Name) -> bool:
    """Say whether *name* is of IGC-Santé's test hierarchy, whose names start with TEST."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return any(str(one.value).upper().startswith(_TEST) for one in found)


@satisfies("RIS.AUTH.01")
def standing(held: Sequence[Held], at: datetime, thresholds: Sequence[int]) -> list[Held]:
    """Return the certificates of one structure and usage, in the same order, each with its place.

    The newest usable serves; an older usable one is its spare, and serves again should the newer
    be refused. One that ended while another serves is archived.
    """
    usable = [one for one in held if one.refusal is None]
    serving = max(usable, key=recency, default=None)
    placed = [replace(one, state=_state(one, serving)) for one in held]
    return [
        replace(
            one,
            days_left=days_left(one.not_after, at),
            alert=None if _succeeded(one, placed) else alert(one.not_after, at, thresholds),
        )
        for one in placed
    ]


def recency(one: Held) -> tuple[float, str]:
    """Return the key that sorts the certificates of a line, oldest first."""
    return (one.not_before.timestamp() if one.not_before else 0.0), one.serial


def days_left(not_after: datetime | None, at: datetime) -> int | None:
    """Return the whole days until *not_after*; negative once it is past."""
    return None if not_after is None else (not_after - at) // _DAY


def alert(not_after: datetime | None, at: datetime, thresholds: Sequence[int]) -> int | None:
    """Return the last threshold crossed, 0 once expired, None while it is far (AUTH-50)."""
    left = days_left(not_after, at)
    if left is None:
        return None
    return 0 if left < 0 else min((one for one in thresholds if left <= one), default=None)


def faults(held: Iterable[Held]) -> list[Held]:
    """Return what must be put right: never of use here (A23), or of a line where none serves."""
    listed = list(held)
    served = {one.line for one in listed if one.refusal is None}
    timely = (Refusal.NOT_YET_VALID, Refusal.EXPIRED)
    return [
        one
        for one in listed
        if one.refusal is not None and (one.refusal not in timely or one.line not in served)
    ]


def _state(one: Held, serving: Held | None) -> State:
    if one is serving:
        return State.CURRENT
    if one.refusal is None:
        return State.SPARE
    if one.refusal is Refusal.NOT_YET_VALID:
        return State.NEXT
    expired = one.refusal is Refusal.EXPIRED
    return State.ARCHIVED if expired and serving else State.REFUSED


def _succeeded(one: Held, others: Iterable[Held]) -> bool:
    """Say whether another certificate took its place, or will with no gap and for longer."""
    if one.state is State.ARCHIVED:
        return True
    return one.not_after is not None and any(
        other.refusal in (None, Refusal.NOT_YET_VALID)
        and other.not_after is not None
        and other.not_before is not None
        and other.not_before <= one.not_after < other.not_after
        for other in others
    )


def _first_name(certificate: x509.Certificate) -> str:
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _may_authenticate(certificate: x509.Certificate) -> bool:
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    usage = _key_usage(certificate)
    signs = usage is None or usage.digital_signature
    return signs and ExtendedKeyUsageOID.CLIENT_AUTH in purposes


def _may_sign(certificate: x509.Certificate) -> bool:
    usage = _key_usage(certificate)
    return usage is not None and usage.digital_signature and usage.content_commitment


def _key_usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
