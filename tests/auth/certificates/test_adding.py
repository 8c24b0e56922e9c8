"""Adding, replacing, retiring: refused or whole, traced, and never an interruption."""

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ris.auth import structures
from ris.auth.certificates import offers, service, store
from ris.auth.certificates.errors import (
    CertificateInUse,
    CertificateKnown,
    CertificateRefused,
    CertificateUnknown,
    PoolReadOnly,
)
from ris.auth.certificates.offers import Offer
from ris.auth.certificates.pool import CertificatePool
from ris.auth.certificates.values import Refusal, State, Warned
from ris.auth.errors import CertificateMissing, StructureUnusable
from ris.core import clock, http
from ris.core.crypto import Credential
from ris.core.errors import Invalid
from ris.rem.evidence import Evidence
from ris.sandbox.pki import TestPki
from tests.auth.certificates.conftest import Shelf
from tests.auth.certificates.making import (
    SCM,
    A,
    B,
    archive,
    authority,
    drop,
    issue,
    key,
    key_pem,
    pem,
    serial,
)  # fmt: skip

IN_CLEAR = (b"BEGIN PRIVATE KEY", b"BEGIN RSA PRIVATE KEY")


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_a_certificate_added_serves_and_its_key_is_nowhere_in_clear(
    shelf: Shelf, pki: TestPki, evidence: Evidence
) -> None:
    offer = issue(pki)
    added = shelf.add(offer)
    assert (added.state, added.refusal, added.warnings) == (State.CURRENT, None, ())
    credential = shelf.reopened().credential(A, "AUTH_CLI")
    certificate, opened = credential.load()
    assert certificate == offer.leaf
    assert opened.private_numbers() == offer.key.private_numbers()
    http.context(trust=pki.trust, credential=credential)  # TLS takes it as it is
    assert credential.chain()[1:] == [pki.issuer.load()[0]]
    kept = [path for path in shelf.folder.rglob("*") if path.is_file()]
    assert len(kept) == 3
    for path in kept:
        assert path.stat().st_mode & 0o777 == 0o600
        assert not any(mark in path.read_bytes() for mark in IN_CLEAR)
    assert all(path.stat().st_mode & 0o077 == 0 for path in shelf.folder.rglob("*"))
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in credential.key.read_bytes()
    assert credential.passphrase is not None
    assert str(credential.passphrase) not in repr(credential)
    (event,) = shelf.journal()
    assert event.action == "auth.certificate_add"
    assert event.detail == {
        "struct_idnat": A, "usage": "AUTH_CLI", "serial": serial(offer),
        "not_after": offer.leaf.not_valid_after_utc.isoformat(), "replaces": [],
    }  # fmt: skip
    evidence.add("02", "certificate-added.txt", f"{added}\n{event.detail}")


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_a_replacement_serves_at_once_and_the_former_is_there_until_its_end(
    shelf: Shelf, pki: TestPki, evidence: Evidence
) -> None:
    former, later = issue(pki, days=(-900, 20)), issue(pki, days=(10, 1000), own=key(1))
    shelf.add(former)
    assert shelf.add(later).state is State.NEXT
    assert shelf.serving() == serial(former)
    assert shelf.standing() == [(serial(later), "next"), (serial(former), "current")]
    now = clock.now()
    with clock.frozen(now + timedelta(days=11)):
        assert shelf.serving() == serial(later)
        assert shelf.standing() == [(serial(later), "current"), (serial(former), "spare")]
        evidence.add("03", "replacement.txt", "\n".join(str(one) for one in shelf.standing()))
        folder = next(shelf.folder.glob(f"{A}/AUTH_CLI.d/*/certificate.pem"))
        while serial(Offer(tuple(Credential(folder, folder).chain()), key())) != serial(later):
            folder = next(
                one for one in shelf.folder.glob(f"{A}/AUTH_CLI.d/*/certificate.pem")
                if one != folder
            )  # fmt: skip
        folder.with_name("passphrase").write_bytes(b"spoilt")
        assert shelf.serving() == serial(former), "a newer one that is refused interrupts nothing"
    with clock.frozen(now + timedelta(days=21)), pytest.raises(CertificateMissing) as caught:
        shelf.serving()
    assert caught.value.extensions["reason"] == "UNREADABLE"
    assert [one.action for one in shelf.journal()] == [
        "auth.certificate_add", "auth.certificate_replace",
    ]  # fmt: skip
    assert shelf.journal()[-1].detail["replaces"] == [serial(former)]


def test_an_ended_certificate_that_was_replaced_is_archived(shelf: Shelf, pki: TestPki) -> None:
    former, newer = issue(pki, days=(-900, 20)), issue(pki, own=key(1))
    shelf.add(former)
    shelf.add(newer)
    with clock.frozen(clock.now() + timedelta(days=30)):
        assert shelf.standing() == [(serial(newer), "current"), (serial(former), "archived")]
        shelf.retire(serial(former))
        assert shelf.standing() == [(serial(newer), "current")]


Bring = Callable[[TestPki, Path], Offer]
REFUSED: list[tuple[Refusal, str, Bring]] = [
    (Refusal.OTHER_STRUCTURE, "AUTH_CLI", lambda pki, _: issue(pki, B)),
    (Refusal.WRONG_NAME, "INSI", lambda pki, _: issue(pki, name="RIS")),
    (Refusal.WRONG_NAME, "INSI", lambda pki, _: issue(pki, name="RIS", days=(5, 900))),
    (Refusal.WRONG_USAGE, "SIGN", lambda pki, _: issue(pki)),
    (Refusal.WRONG_USAGE, "AUTH_CLI", lambda pki, _: issue(pki, usage="SIGN")),
    (Refusal.EXPIRED, "AUTH_CLI", lambda pki, _: issue(pki, days=(-9, -1))),
    (Refusal.KEY_WEAK, "AUTH_CLI", lambda pki, _: issue(pki, own=key(bits=1024))),
    (Refusal.UNTRUSTED, "AUTH_CLI", lambda pki, at: issue(pki, issuer=authority("AC X", at))),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "usage", "bring"), REFUSED)
def test_what_may_not_serve_does_not_enter(
    shelf: Shelf, pki: TestPki, tmp_path: Path, *, reason: Refusal, usage: str, bring: Bring
) -> None:
    with pytest.raises(CertificateRefused) as caught:
        shelf.add(bring(pki, tmp_path), usage)  # type: ignore[arg-type]
    assert (caught.value.reason, caught.value.extensions["reason"]) == (reason, reason)
    assert not list(shelf.folder.rglob("*"))
    assert shelf.journal() == []


def test_a_test_authority_is_refused_in_production_even_without_a_trust_store(
    shelf: Shelf, pki: TestPki, tmp_path: Path
) -> None:
    test_root = authority("TEST AC IGC-SANTE ELEMENTAIRE ORGANISATIONS", tmp_path)
    offer = issue(pki, issuer=test_root)
    trusting = shelf.settings.model_copy(update={"trust": test_root.certificate})
    for trust in (None, test_root.certificate):
        shelf.settings = trusting.model_copy(update={"trust": trust, "production": True})
        shelf.pool = shelf.reopened()
        with pytest.raises(CertificateRefused) as caught:
            shelf.add(offer)
        assert caught.value.reason is Refusal.TEST_AUTHORITY
    shelf.settings, shelf.pool = (
        trusting,
        CertificatePool(shelf.folder, trusting, shelf.pool.store._sealer),
    )
    assert shelf.add(offer).state is State.CURRENT


def test_an_scm_never_has_a_certificate(shelf: Shelf, pki: TestPki) -> None:
    with shelf.database.transaction() as session:
        structures.declare(session, SCM, "SCM IMAGERIE FICTIVE", is_scm=True)
    with pytest.raises(StructureUnusable) as caught:
        shelf.add(issue(pki, SCM), struct=SCM)
    assert caught.value.code == "structure_unusable"
    drop(shelf.folder, SCM, "AUTH_CLI", issue(pki, SCM))
    with shelf.database.transaction() as session:
        (held,) = service.inventory(session, shelf.pool)
    assert (held.state, held.refusal) == (State.REFUSED, Refusal.STRUCTURE_UNUSABLE)


@pytest.mark.parametrize("struct", ["499700993001005", "../" + A, ""])
def test_a_structure_that_is_none_is_refused(shelf: Shelf, pki: TestPki, struct: str) -> None:
    with pytest.raises(Invalid) as caught:
        shelf.add(issue(pki, struct or A), struct=struct)
    assert caught.value.code == "STRUCTURE_INVALID"


def test_the_same_certificate_twice_is_a_conflict(shelf: Shelf, pki: TestPki) -> None:
    offer = issue(pki)
    shelf.add(offer)
    with pytest.raises(CertificateKnown):
        shelf.add(offer)
    assert shelf.serving() == serial(offer)


def test_an_act_that_cannot_be_traced_leaves_nothing_behind(
    shelf: Shelf, pki: TestPki, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = issue(pki)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("no journal")

    def untraced(act: Callable[[], object]) -> None:
        with monkeypatch.context() as broken:
            broken.setattr("ris.core.audit._append", fails)
            with pytest.raises(RuntimeError):
                act()

    untraced(lambda: shelf.add(offer))
    assert shelf.standing() == []
    shelf.add(offer)
    untraced(lambda: shelf.retire(serial(offer), in_use=True))
    assert shelf.serving() == serial(offer)


@pytest.mark.parametrize("moment", ["journal", "commit"])
def test_a_connection_cut_during_an_addition_leaves_no_key_behind(
    shelf: Shelf, pki: TestPki, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def cut(session: Session, *_: object) -> None:
        pid = session.execute(text("select pg_backend_pid()")).scalar_one()
        with shelf.database.engine.connect() as other:
            other.execute(text("select pg_terminate_backend(:pid)"), {"pid": pid})
            other.commit()

    def added() -> None:
        with shelf.database.transaction() as session:
            service.add(session, shelf.pool, A, "AUTH_CLI", issue(pki))
            if moment == "commit":
                cut(session)

    with monkeypatch.context() as broken:
        if moment == "journal":
            broken.setattr("ris.core.audit._append", cut)
        with pytest.raises(DBAPIError):
            added()
    assert shelf.standing() == []
    assert list(shelf.pool.store.sealed()) == []


def test_a_key_dropped_in_clear_is_told_and_gives_way_once_added(
    shelf: Shelf, pki: TestPki
) -> None:
    offer = issue(pki)
    drop(shelf.folder, A, "AUTH_CLI", offer)
    (held,) = shelf.pool.inventory()
    assert (held.state, held.warnings) == (State.CURRENT, (Warned.CLEAR_KEY,))
    shelf.add(offer)
    (held,) = shelf.pool.inventory()
    assert (held.state, held.warnings) == (State.CURRENT, ())
    assert not (shelf.folder / A / "AUTH_CLI.key").exists()


def test_the_one_that_serves_is_retired_on_purpose_only(shelf: Shelf, pki: TestPki) -> None:
    former, newer = issue(pki, days=(-9, 20)), issue(pki, own=key(1))
    drop(shelf.folder, A, "AUTH_CLI", former)
    shelf.add(newer)
    with pytest.raises(CertificateInUse):
        shelf.retire(serial(newer))
    with pytest.raises(CertificateUnknown):
        shelf.retire("abcdef")
    shelf.retire(serial(newer).upper(), in_use=True)
    assert shelf.serving() == serial(former)
    shelf.retire(serial(former), in_use=True)
    assert [path for path in shelf.folder.rglob("*") if path.is_file()] == []
    event = shelf.journal()[-1]
    assert (event.action, event.detail["serial"]) == ("auth.certificate_retire", serial(former))


def test_a_pool_that_cannot_be_written_says_so(shelf: Shelf, pki: TestPki, tmp_path: Path) -> None:
    shelf.pool = CertificatePool(None, shelf.settings, shelf.pool.store._sealer)
    with pytest.raises(PoolReadOnly):
        shelf.add(issue(pki))
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    shelf.pool = CertificatePool(blocked, shelf.settings, shelf.pool.store._sealer)
    with pytest.raises(PoolReadOnly):
        shelf.add(issue(pki))


def test_readers_never_see_half_a_pair_while_it_is_replaced(shelf: Shelf, pki: TestPki) -> None:
    made = [issue(pki, days=(-50 + n, 1000), own=key(n % 2)) for n in range(12)]
    shelf.add(made[0])
    wrong: list[BaseException] = []
    seen: set[str] = set()
    stop = threading.Event()

    def read() -> None:
        pool = shelf.reopened()
        while not stop.is_set():
            try:
                credential = pool.credential(A, "AUTH_CLI")
                http.context(trust=pki.trust, credential=credential)
                leaf = credential.chain()[0]
                halves = [one.held for one in pool.examine(A, "AUTH_CLI") if one.held.refusal]
                assert halves == []
            except Exception as error:
                wrong.append(error)
                return
            seen.add(format(leaf.serial_number, "x"))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for one in readers:
        one.start()
    for offer in made[1:]:
        shelf.add(offer)
    stop.set()
    for one in readers:
        one.join(20)
    assert wrong == []
    assert len(seen) > 2
    assert shelf.serving() == serial(made[-1])


def test_at_every_step_of_writing_and_removing_a_reader_sees_whole_pairs(
    shelf: Shelf, pki: TestPki, monkeypatch: pytest.MonkeyPatch
) -> None:
    former, newer = issue(pki, days=(-9, 50)), issue(pki, own=key(1))
    shelf.add(former)
    other, seen = shelf.reopened(), []

    def looking(step: Callable[..., object]) -> Callable[..., object]:
        def act(*given: object, **named: object) -> None:
            seen.append([one.held for one in other.examine(A, "AUTH_CLI")])
            step(*given, **named)
            seen.append([one.held for one in other.examine(A, "AUTH_CLI")])

        return act

    for step in (store._write, store._sync):
        monkeypatch.setattr(store, step.__name__, looking(step))
    monkeypatch.setattr("os.unlink", looking(os.unlink))
    shelf.add(newer)
    shelf.retire(serial(former))
    assert [one.refusal for step in seen for one in step if one.refusal] == []
    shown = list(dict.fromkeys(tuple(one.serial for one in step) for step in seen))
    one, two = serial(former), serial(newer)
    assert shown == [(one,), (two, one), (two,)]


def test_a_passphrase_opens_the_key_of_its_own_certificate_only(shelf: Shelf, pki: TestPki) -> None:
    shelf.add(issue(pki, usage="INSI"), "INSI")
    moved = shelf.folder / A / "AUTH_CLI.d"
    (shelf.folder / A / "INSI.d").rename(moved)
    (held,) = shelf.pool.inventory()
    assert (held.usage, held.refusal) == ("AUTH_CLI", Refusal.UNREADABLE)


@pytest.mark.parametrize("form", ["pem", "one_file", "encrypted", "p12"])
def test_what_igc_sante_delivers_is_read(pki: TestPki, form: str) -> None:
    offer = issue(pki)
    leaf, issuer = offer.chain
    shuffled = pem(replace(offer, chain=(issuer, leaf)))
    read = {
        "pem": lambda: offers.read(shuffled, key_pem(offer.key)),
        "one_file": lambda: offers.read(key_pem(offer.key) + pem(offer)),
        "encrypted": lambda: offers.read(pem(offer), key_pem(offer.key, "secret"), b"secret"),
        "p12": lambda: offers.read(archive(offer, "secret"), password=b"secret"),
    }[form]()
    assert read.chain == offer.chain
    assert read.key.private_numbers() == offer.key.private_numbers()


@pytest.mark.parametrize(
    ("reason", "content", "apart", "password"),
    [
        (Refusal.KEY_MISMATCH, "pem", "other", b""),
        (Refusal.UNREADABLE, "p12", "", b"wrong"),
        (Refusal.UNREADABLE, "pem", "locked", b"wrong"),
        (Refusal.UNREADABLE, "pem", "locked", None),
        (Refusal.UNREADABLE, "pem", "", None),
        (Refusal.UNREADABLE, "noise", "", None),
        (Refusal.UNREADABLE, "huge", "", None),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(
    pki: TestPki, reason: Refusal, content: str, apart: str, password: bytes | None
) -> None:
    offer = issue(pki)
    contents = {
        "pem": pem(offer), "p12": archive(offer, "secret"), "noise": b"\x30\x00noise",
        "huge": pem(offer) * 100,
    }  # fmt: skip
    keys = {"other": key_pem(key(1)), "locked": key_pem(offer.key, "secret"), "": b""}
    with pytest.raises(CertificateRefused) as caught:
        offers.read(contents[content], keys[apart], password)
    assert caught.value.reason is reason
