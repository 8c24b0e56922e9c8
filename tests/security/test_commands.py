"""The operator's door: `ris` refuses what is unsafe, in one French line, and shows no secret."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
from alembic import command

from ris import app as root
from ris.core import audit, schema
from ris.core.db import Database
from ris.sandbox.pki import TestPki
from tests.architecture.test_sealing_migration import FILL
from tests.security import job
from tests.security.product import Product

SECRET = "un-secret-tres-reconnaissable"


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Ris = Callable[..., Ran]


@pytest.fixture
def ris(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ris:
    """A runner of the real command, in this process, with these settings and no other."""

    def run(*arguments: str, **settings: str) -> Ran:
        from ris.cli import main

        with monkeypatch.context() as here:
            for name in [name for name in os.environ if name.startswith("RIS_")]:
                here.delenv(name)
            for name, value in settings.items():
                here.setenv(f"RIS_{name}", value)
            here.setattr("sys.argv", ["ris", *arguments])
            code: object = 0
            try:
                main()
            except SystemExit as end:
                code = end.code or 0
        told = capsys.readouterr()
        return Ran(int(str(code)), told.out, told.err)

    return run


def clean(settings: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RIS_")}
    return kept | {f"RIS_{name}": value for name, value in settings.items()}


def one_line(ran: Ran) -> str:
    """The one line of a refusal: no traceback, exit code 1."""
    assert ran.returncode == 1, ran.stdout + ran.stderr
    lines = ran.stderr.strip().splitlines()
    assert len(lines) == 1, ran.stderr
    assert "Traceback" not in ran.stderr
    return lines[0]


@pytest.fixture
def secrets(tmp_path: Path, pki: TestPki) -> dict[str, str]:
    """Settings full of secrets, each given in one of the two ways."""
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n", encoding="utf-8")
    box = {
        "address": "cabinet@medecin.mssante.fr", "kind": "ORG", "auth": "PASSWORD",
        "password": SECRET,
    }  # fmt: skip
    return {
        "ENVIRONMENT": "test",
        "DATA_DIR": str(tmp_path),
        "AUTH__PSC__CLIENT_SECRET_FILE": str(file),
        "AUTH__ANNUAIRE__API_KEY": SECRET,
        "MSS__TRUST": str(pki.trust),
        "MSS__CRL": str(pki.crl),
        "MSS__OPERATORS": json.dumps({"default": {"host": "localhost"}}),
        "MSS__MAILBOXES": json.dumps([box]),
    }


def test_a_secret_read_from_a_file_or_the_environment_is_never_shown(
    database: Database, secrets: dict[str, str], ris: Ris, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in secrets.items():
        monkeypatch.setenv(f"RIS_{name}", value)
    settings = root.Settings()
    assert settings.auth.psc.client_secret.get_secret_value() == SECRET
    assert settings.auth.annuaire.api_key.get_secret_value() == SECRET
    assert SECRET not in repr(settings)
    ran = ris("config", "check", DATABASE_URL=database.url, **secrets)
    assert ran.returncode == 1, ran.stderr
    assert "Manque : RIS_DMP__HOMOLOGATION" in ran.stdout
    assert "Base joignable et à jour." in ran.stdout
    assert '"client_secret": "**********"' in ran.stdout
    assert SECRET not in ran.stdout + ran.stderr
    assert database.url not in ran.stdout


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"ENVIRONMENT": "recette"}, "RIS_ENVIRONMENT"),
        ({"AUTH__ABSOLUTE_S": "99999999"}, "RIS_AUTH__ABSOLUTE_S"),
        ({"MSS__MAILBOXES": '[{"address": 3}]'}, "RIS_MSS__MAILBOXES"),
        ({"MSS__MAILBOXES": SECRET}, "RIS_"),
        ({"DATABASE_URL_FILE": "/nulle/part"}, "RIS_DATABASE_URL_FILE"),
        ({"ENVIRONMENT": "production"}, "RIS_"),
        ({"ENVIRONMENT": "production", "DATABASE_URL": "postgresql://u:p@127.0.0.1:1/x"}, "RIS_"),
        ({"ENVIRONMENT": "test", "KEYRING": "/dev/null",
          "DATABASE_URL": "postgresql://u:un-secret-tres-reconnaissable@127.0.0.1:1/x"}, ""),
        ({"ENVIRONMENT": "test",
          "DATABASE_URL": "postgresql://u:un-secret-tres-reconnaissable@127.0.0.1:1/x"}, ""),
        ({"ENVIRONMENT": "test", "DATABASE_URL": "un-secret-tres-reconnaissable"}, ""),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_one_french_line(
    settings: dict[str, str], shown: str, ris: Ris, tmp_path: Path
) -> None:
    settings = {"DATA_DIR": str(tmp_path), **settings}
    ran = ris("config", "check", **settings)
    assert shown in one_line(ran)
    assert SECRET not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "unsafe",
    [
        {"AUTH__COOKIE_SECURE": "false"},
        {"AUTH__ALLOW_TEST_IDS": "true"},
        {"AUTH__PSC__ISSUER": "http://127.0.0.1:1"},
        {"AUTH__PSC__ISSUER": "https://auth.bas.psc.esante.gouv.fr/auth/realms/esante-wallet"},
    ],
    ids=str,
)
def test_production_refuses_the_settings_of_tests(
    database: Database, unsafe: dict[str, str], ris: Ris, tmp_path: Path
) -> None:
    from ris.core.crypto import Keyring

    Keyring.generate(tmp_path / "keyring.json")
    safe = {
        "ENVIRONMENT": "production",
        "DATABASE_URL": database.url,
        "KEYRING": str(tmp_path / "keyring.json"),
        "AUTH__PSC__ISSUER": "https://psc.invalid/auth/realms/esante-wallet",
    }
    assert "NOT_CONFIGURED" in one_line(ris("config", "check", **{**safe, **unsafe}))


def test_the_journal_is_verified_and_a_changed_line_is_named(
    product: Product, desk: httpx.Client, ris: Ris, database: Database
) -> None:
    job.patient(desk)
    where = {"DATABASE_URL": database.url, "ENVIRONMENT": "test"}
    whole = ris("audit", "verify", **where)
    assert (whole.returncode, "intègre" in whole.stdout) == (0, True), whole.stderr
    with psycopg.connect(database.url) as connection:
        connection.execute("set session_replication_role = replica")
        (seq,) = connection.execute("select max(seq) from audit_event").fetchone() or (0,)
        connection.execute("update audit_event set action = 'rien' where seq = %s", [seq])
    assert f"l'événement {seq}." in one_line(ris("audit", "verify", **where))


def test_the_head_is_anchored_and_a_journal_that_lost_it_is_refused(
    database: Database, tmp_path: Path, ris: Ris
) -> None:
    with database.transaction() as session:
        audit.record(session, "test.done")
    heads = tmp_path / "heads"
    where = {"ENVIRONMENT": "test", "DATABASE_URL": database.url}
    assert "RIS_JOURNAL__ANCHOR" in one_line(ris("audit", "anchor", **where))
    anchored = ris("audit", "anchor", **where, JOURNAL__ANCHOR=str(heads))
    assert anchored.stdout.endswith(heads.read_text())
    assert ris("audit", "verify", "--anchors", str(heads), **where).returncode == 0
    with psycopg.connect(database.url) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("delete from audit_event")
    refused = one_line(ris("audit", "verify", "--anchors", str(heads), **where))
    assert refused == "Le journal ne contient plus la tête ancrée 1."


def test_a_refusal_without_a_detail_and_an_empty_list_read_well(
    database: Database, ris: Ris, tmp_path: Path
) -> None:
    ring = str(tmp_path / "keyring.json")
    assert ris("keys", "generate", ring).returncode == 0
    where = {"DATABASE_URL": database.url, "ENVIRONMENT": "test", "KEYRING": ring}
    unknown = ris("accounts", "local", "unlock", "personne", **where)
    assert unknown.returncode == 1
    assert unknown.stderr.strip() == "Accès local inconnu [LOGIN_UNKNOWN]"
    listed = ris("structures", "list", **where)
    assert (listed.returncode, listed.stdout) == (0, "")
    assert listed.stderr.strip() == "Aucune structure déclarée : ris structures declare."


def test_an_upgrade_of_an_up_to_date_database_changes_nothing(database: Database, ris: Ris) -> None:
    ran = ris("db", "upgrade", DATABASE_URL=database.url, ENVIRONMENT="test")
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    "command",
    ["", "api", "worker", "demo", "sandbox", "openapi", "db", "audit", "config", "accounts",
     "rem", "reports"],
)  # fmt: skip
def test_every_command_says_what_it_does(command: str) -> None:
    from typer.testing import CliRunner

    from ris.cli import cli

    ran = CliRunner().invoke(cli, [*([command] if command else []), "--help"])
    assert ran.exit_code == 0
    assert "Usage" in ran.output


def test_the_sandbox_starts_and_stops_when_told_to(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "ris", "sandbox", "--directory", str(tmp_path)],
        env=clean({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        end = time.monotonic() + 40
        while not (tmp_path / "ris.env").exists() and time.monotonic() < end:
            time.sleep(0.1)
        assert (tmp_path / "ris.env").exists()
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert b"Traceback" not in told


def where(database_url: str, ring: Path, environment: str = "test") -> dict[str, str]:
    return {
        "ENVIRONMENT": environment, "DATABASE_URL": database_url, "KEYRING": str(ring),
        "DATA_DIR": str(ring.parent),
    }  # fmt: skip


def test_a_rotation_of_a_ring_that_cannot_be_written_is_one_french_line(
    database: Database, ris: Ris, tmp_path: Path
) -> None:
    ring = tmp_path / "keyring.json"
    assert ris("keys", "generate", str(ring)).returncode == 0
    (tmp_path / "keyring.json.new").mkdir()
    line = one_line(ris("keys", "rotate", **where(database.url, ring)))
    assert "KEYRING_READ_ONLY" in line
    assert "inscriptible" in line
    nowhere = one_line(ris("keys", "generate", str(tmp_path / "absent" / "ring.json")))
    assert "KEYRING_READ_ONLY" in nowhere


def process(settings: dict[str, str], *arguments: str) -> Ran:
    """Run a command that configures logs and signals: in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-m", "ris", *arguments], env=clean(settings), capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip
    return Ran(ran.returncode, ran.stdout, ran.stderr)


@pytest.mark.parametrize(
    "started", [("config", "check"), ("api",), ("worker", "--once"), ("mllp",)], ids=str
)
def test_production_without_its_key_ring_does_not_start_and_says_which(
    database: Database, tmp_path: Path, started: tuple[str, ...]
) -> None:
    told = where(database.url, tmp_path / "trousseau.json", "production")
    line = one_line(process(told, *started))
    assert "Trousseau de clés introuvable" in line
    assert "trousseau.json" in line
    assert not (tmp_path / "trousseau.json").exists(), "production never makes a ring by itself"


@pytest.mark.parametrize("started", [("config", "check"), ("api",)], ids=str)
def test_a_key_ring_of_another_base_is_refused_at_start(
    product: Product, desk: httpx.Client, tmp_path: Path, started: tuple[str, ...]
) -> None:
    job.qualified(desk)
    told = where(product.runtime.database.url, tmp_path / "other.json")
    line = one_line(process(told, *started))
    assert "KEYRING_FOREIGN" in line


def test_a_base_restored_without_its_key_ring_says_so(
    product: Product, desk: httpx.Client, ris: Ris, new_database: Callable[[], str], tmp_path: Path
) -> None:
    job.qualified(desk)
    saved, ring = str(tmp_path / "ris.dump"), root.keyring_path(product.runtime.settings)
    ran = ris("db", "dump", saved, **where(product.runtime.database.url, ring))
    assert (ran.returncode, str(ring) in ran.stdout) == (0, True), ran.stderr
    absent = where(new_database(), tmp_path / "absent.json", "production")
    line = one_line(ris("db", "restore", saved, **absent))
    assert "le trousseau est absent" in line
    other = tmp_path / "other.json"
    ris("keys", "generate", str(other))
    line = one_line(ris("db", "restore", saved, **where(new_database(), other)))
    assert "n'ouvre pas cette base" in line
    sound = ris("db", "restore", saved, **where(new_database(), ring))
    assert (sound.returncode, sound.stdout) == (0, "Base restaurée.\n"), sound.stderr


def test_an_upgrade_that_must_seal_rows_asks_for_the_key_ring_in_one_french_line(
    ris: Ris, new_database: Callable[[], str], tmp_path: Path
) -> None:
    url = new_database()
    command.upgrade(schema.configuration(url), "0004")
    with psycopg.connect(url) as connection:
        connection.execute(FILL.encode())
    ring = tmp_path / "trousseau.json"
    line = one_line(ris("db", "upgrade", **where(url, ring, "production")))
    assert "Trousseau de clés introuvable" in line
    ris("keys", "generate", str(ring))
    ran = ris("db", "upgrade", **where(url, ring, "production"))
    assert (ran.returncode, ran.stdout) == (0, "Base à jour.\n"), ran.stderr
