"""The sealed envelope, the keyring, the credentials."""

import json
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from ris.core.crypto import Credential, Envelope, KeyReadOnly, Keyring, SealBroken, Sealer
from ris.core.errors import NotConfigured
from ris.sandbox.pki import TestPki

SEALER = Sealer(Keyring("k1", {"k1": bytes(range(32))}))


@given(st.binary(), st.binary(max_size=64))
def test_what_is_sealed_opens_in_its_context(plain: bytes, context: bytes) -> None:
    sealed = SEALER.seal(plain, context)
    assert SEALER.open(sealed, context) == plain
    assert SEALER.seal(plain, context) != sealed


def test_what_is_moved_to_another_patient_does_not_open() -> None:
    sealed = SEALER.seal(b"passport", b"ris.id_copy.v1|copy-1|patient-1")
    with pytest.raises(SealBroken):
        SEALER.open(sealed, b"ris.id_copy.v1|copy-1|patient-2")


def test_no_altered_byte_opens() -> None:
    sealed = SEALER.seal(b"passport", b"c")
    for place in range(len(sealed)):
        altered = bytearray(sealed)
        altered[place] ^= 1
        with pytest.raises(SealBroken):
            SEALER.open(bytes(altered), b"c")
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            SEALER.open(sealed[:length], b"c")


def test_another_key_does_not_open() -> None:
    sealed = SEALER.seal(b"passport", b"c")
    with pytest.raises(SealBroken):
        Sealer(Keyring("k1", {"k1": bytes(32)})).open(sealed, b"c")
    with pytest.raises(SealBroken):
        Sealer(Keyring("k2", {"k2": bytes(32)})).open(sealed, b"c")


def test_a_rotation_keeps_old_copies_readable_and_their_ciphertext_unchanged(
    tmp_path: Path,
) -> None:
    file = tmp_path / "keyring.json"
    old = Sealer(Keyring.generate(file))
    sealed = old.encrypt(b"passport", b"c")
    new = Sealer(Keyring.from_file(file).rotate(file))
    assert new.decrypt(sealed, b"c") == b"passport"
    again = new.rewrap(sealed)
    assert (sealed.kek_id, again.kek_id) == ("k1", "k2")
    assert (again.nonce, again.ciphertext) == (sealed.nonce, sealed.ciphertext)
    assert Sealer(Keyring.from_file(file)).decrypt(again, b"c") == b"passport"
    assert old.decrypt(again, b"c") == b"passport", "a running process reads its key ring again"
    assert old.encrypt(b"x", b"c").kek_id == "k2"


def test_an_envelope_in_columns_is_the_envelope_in_a_blob() -> None:
    parts = SEALER.encrypt(b"x", b"c")
    assert Envelope.unpack(parts.pack()) == parts
    assert len(parts.wrapped_key) == 40


def test_a_keyring_is_private_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "keyring.json"
    Keyring.generate(file)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        Keyring.generate(file)
    Keyring.from_file(file).rotate(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(json.loads(file.read_text())["keys"]) == ["k1", "k2"]
    file.chmod(0o640)
    with pytest.raises(NotConfigured, match="0600"):
        Keyring.from_file(file)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"current": "k1", "keys": {}}', '{"current": "k1", "keys": {"k1": "AAAA"}}',
     '{"current": "k1", "keys": {"k1": "%"}}'],
)  # fmt: skip
def test_a_keyring_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keyring.json"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(NotConfigured):
        Keyring.from_file(file)
    with pytest.raises(NotConfigured):
        Keyring.from_file(tmp_path / "absent.json")


def test_a_credential_gives_its_certificate_key_and_chain(pki: TestPki, tmp_path: Path) -> None:
    credential = pki.organisation("499700991013001", "SIGN")
    certificate, key = credential.load()
    assert certificate.public_key() == key.public_key()
    assert [one.subject for one in credential.chain()] == [certificate.subject, certificate.issuer]
    with pytest.raises(NotConfigured):
        Credential(credential.key, credential.key).load()
    curve = tmp_path / "curve.key"
    curve.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
    )
    with pytest.raises(NotConfigured, match="RSA"):
        Credential(credential.certificate, curve).load()


def test_an_encrypted_key_asks_nobody_for_its_passphrase(pki: TestPki, tmp_path: Path) -> None:
    clear = pki.organisation("499700991013001", "SIGN")
    locked = tmp_path / "locked.key"
    encryption = BestAvailableEncryption(b"secret")
    pem = clear.load()[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    locked.write_bytes(pem)
    tls = ssl.create_default_context()
    for passphrase in (None, b"wrong"):
        closed = Credential(clear.certificate, locked, passphrase)
        with pytest.raises(NotConfigured):
            closed.load()
        with pytest.raises(ssl.SSLError):
            closed.present(tls)
    opened = Credential(clear.certificate, locked, b"secret")
    assert opened.load()[1].private_numbers() == clear.load()[1].private_numbers()
    opened.present(tls)
    assert "secret" not in repr(opened)


def test_a_key_replaced_on_disk_is_the_one_that_serves_next(pki: TestPki, tmp_path: Path) -> None:
    first, second = (pki.organisation(name, "SIGN") for name in ("1580008801", "1580008802"))
    held = Credential(tmp_path / "own.pem", tmp_path / "own.key")
    for one in (first, second):
        held.certificate.write_bytes(one.certificate.read_bytes())
        held.key.write_bytes(one.key.read_bytes())
        certificate, key = held.load()
        assert certificate.public_key() == key.public_key()
        assert certificate == one.load()[0]


def test_a_process_that_only_seals_learns_of_a_rotation_too(tmp_path: Path) -> None:
    file = tmp_path / "keyring.json"
    Keyring.generate(file)
    running = Sealer(Keyring.from_file(file))
    Keyring.from_file(file).rotate(file)
    assert running.encrypt(b"x", b"c").kek_id == "k2"
    file.unlink()
    assert running.encrypt(b"x", b"c").kek_id == "k2", "a ring that is gone stops nobody"


def test_the_search_key_outlives_rotations_and_is_no_key_of_the_ring(tmp_path: Path) -> None:
    file = tmp_path / "keyring.json"
    before = Sealer(Keyring.generate(file)).digest(b"279035121518989", b"ins")
    after = Sealer(Keyring.from_file(file).rotate(file))
    assert after.digest(b"279035121518989", b"ins") == before
    assert after.digest(b"279035121518989", b"other purpose") != before
    held = json.loads(file.read_text())
    assert held["search"] not in held["keys"].values()
    assert len(before) == 32


def test_a_ring_made_before_it_had_a_search_key_keeps_the_one_derived_from_its_first(
    tmp_path: Path,
) -> None:
    file = tmp_path / "keyring.json"
    Keyring.generate(file)
    content = json.loads(file.read_text())
    del content["search"]
    file.write_text(json.dumps(content))
    before = Sealer(Keyring.from_file(file)).digest(b"x", b"ins")
    Keyring.from_file(file).rotate(file)
    content = json.loads(file.read_text())
    del content["keys"]["k1"]
    file.write_text(json.dumps(content))
    assert Sealer(Keyring.from_file(file)).digest(b"x", b"ins") == before


def test_a_ring_that_cannot_be_replaced_says_so_and_stays_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "keyring.json"
    Keyring.generate(file)
    before = file.read_bytes()
    (tmp_path / "keyring.json.new").mkdir()  # what a read-only folder does, even to root
    with pytest.raises(KeyReadOnly, match="Aucune clé n'a changé"):
        Keyring.from_file(file).rotate(file)
    assert file.read_bytes() == before
    with pytest.raises(KeyReadOnly):
        Keyring.generate(tmp_path / "absent" / "keyring.json")


def test_of_several_processes_that_make_the_ring_one_wins_and_all_read_it(tmp_path: Path) -> None:
    file = tmp_path / "keyring.json"

    def make(_: int) -> str:
        with suppress(FileExistsError):
            Keyring.generate(file)
        return Sealer(Keyring.from_file(file)).digest(b"x", b"ins").hex()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(24)))) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["keyring.json"]
