"""The identity's whole life, then the base read as a thief would: dump, data files and journal.

Runs the product on a base of its own, with an attached system that listens.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx
import psycopg
import pytest

from ris import app as root
from ris.auth.rights import Role
from ris.core import embedded
from ris.core.audit import SYSTEM
from ris.core.db import Database
from ris.diffusion import jobs
from ris.diffusion.errors import NotYet
from ris.identity.foreign import trust
from ris.identity.foreign.model import TrustScope
from ris.interop.hl7v2 import parser
from tests.interop.hl7v2.sample import DOMAIN, message
from tests.interop.hl7v2.test_mllp import listening, quick
from tests.plugin_database import fill_template
from tests.security import job
from tests.security.product import Product, running

OURS = "279035121518989"
TRUSTED = "284036938300135"
UNVERIFIED = "175062A00412773"
PASSED_ON = f"{TRUSTED}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS"


@dataclass
class Lived:
    """The product after the life of its patients, and where its journal of writes began."""

    product: Product
    heard: list[bytes]
    began: str


@pytest.fixture
def lived(
    told: dict[str, str], new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lived]:
    heard: list[bytes] = []

    def answer(data: bytes, _origin: str, _whole: bool) -> bytes:
        heard.append(data)
        control = parser.header(data).text(10)
        return f"MSH|^~\\&|P|C|R|C|1||ACK|9|P|2.5\rMSA|AA|{control}\r".encode()

    url = new_database()
    fill_template(url)
    with listening(quick(), answer) as port:
        pacs = {"name": "PACS", "host": "127.0.0.1", "port": port, "application": "PACS",
                "facility": "C"}  # fmt: skip
        gam = {"application": "GAM", "facility": "CHU-T", "domain": DOMAIN}
        asked = told | {
            "RIS_HL7__PARTNERS": json.dumps([pacs]), "RIS_HL7__SENDERS": json.dumps([gam])
        }  # fmt: skip
        for name, value in asked.items():
            monkeypatch.setenv(name, value)
        database = Database(url)
        began = one(url, "select pg_current_wal_insert_lsn()::text")
        with running(database, root.Settings()) as product:
            live(product)
            yield Lived(product, heard, began)
        database.close()


def live(product: Product) -> None:
    """Create, ask INSi, qualify, receive and tell by HL7, sign, send to the DMP and by mail."""
    runtime = product.runtime
    desk, doctor = product.signed_in(Role.SECRETARY), product.signed_in(Role.RADIOLOGIST)
    record = job.qualified(desk)
    tag = {"If-Match": desk.get(f"/v1/patients/{record['id']}").headers["ETag"]}
    job.got(
        desk.patch(f"/v1/patients/{record['id']}", json={"billing_number": OURS}, headers=tag), 200
    )
    with runtime.database.transaction() as session:
        trust.sign(session, sender=DOMAIN, scope=TrustScope.OWN_DOMAIN, label="GAM", actor=SYSTEM)
    for name, ins, facility in (("AVEC", TRUSTED, b"CHU-T"), ("SANS", UNVERIFIED, b"AILLEURS")):
        data = message(
            ins=PASSED_ON.replace(TRUSTED, ins), status="VALI", control=name, ipp=name,
            names=f"TESTRIS-{name}^ANNE^ANNE^^^^L",
        )  # fmt: skip
        assert b"|AA|" in (runtime.inbox.receive(data.replace(b"CHU-T", facility)) or b"")
    ordered = job.examined(desk, job.exam(desk, record))
    report = job.draft(doctor, ordered)
    job.got(job.sign(doctor, report, **{"Idempotency-Key": "une-fois"}), 201)
    for sent in deliveries(doctor, report):
        try:
            jobs.attempt(runtime.diffusion, UUID(str(sent["id"])))
        except NotYet:
            continue
    for upkeep in runtime.diffusion.upkeep:
        if upkeep.name in ("propagate_identities", "poll_receipts", "verify_foreign_ins"):
            upkeep.run()
    assert {one["state"] for one in deliveries(doctor, report)} <= {"delivered", "acknowledged"}


def deliveries(doctor: httpx.Client, report: dict[str, object]) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = job.got(
        doctor.get(f"/v1/reports/{report['id']}/deliveries"), 200
    )["items"]
    return listed


def test_no_matricule_is_readable_in_a_dump_in_the_data_files_nor_in_the_journal_of_writes(
    lived: Lived,
) -> None:
    url = lived.product.runtime.database.url
    told = b"".join(lived.heard)
    assert OURS.encode() in told, "it did leave for the attached system"
    assert TRUSTED.encode() in told
    plain = dumped(url)
    assert plain.count(b"COPY public.") > 20
    assert b"PAT-TROIS" in plain, "the dump is the one of these patients"
    assert readable(plain) == []
    assert b"MSA|AA" in unhexed(plain), "binary columns are looked into"
    assert readable(unhexed(plain)) == []
    written = journal(url, lived.began)
    assert b"PAT-TROIS" in written
    assert readable(written) == []
    files = data_files(url)
    assert b"PAT-TROIS" in files
    assert readable(files) == []
    found = lived.product.signed_in(Role.SECRETARY).post(
        "/v1/patients/search", json={"matricule": OURS}
    )
    assert [item["birth_family"] for item in job.got(found, 200)["items"]] == ["PAT-TROIS"]


def readable(data: bytes) -> list[str]:
    """The matricules, with their key or without, that *data* shows in clear."""
    return [m for m in (OURS, TRUSTED, UNVERIFIED) if m[:13].encode() in data]


def dumped(url: str) -> bytes:
    ran = subprocess.run(
        [embedded.tool("pg_dump"), "--dbname", url], check=True, capture_output=True,
        env=embedded.environment(),
    )  # fmt: skip
    return ran.stdout


def unhexed(plain: bytes) -> bytes:
    r"""The bytes of every `bytea` (`\\x…`) of a dump."""
    return b"\n".join(bytes.fromhex(x.decode()) for x in re.findall(rb"\\\\x([0-9a-f]+)", plain))


def one(url: str, query: str, *values: object) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query.encode(), values).fetchone()
    assert row is not None
    return str(row[0])


def home(url: str) -> Path:
    folder = Path(one(url, "show data_directory"))
    try:
        (folder / "PG_VERSION").read_bytes()
    except OSError:
        pytest.skip("the data files of this server cannot be read from here")
    return folder


def journal(url: str, began: str) -> bytes:
    """What the write-ahead log received since *began*, this base's neighbours included."""
    folder, ended = home(url) / "pg_wal", one(url, "select pg_current_wal_flush_lsn()::text")
    size = int(one(url, "select setting from pg_settings where name = 'wal_segment_size'"))
    first, last = (
        int(one(url, "select %s::pg_lsn - '0/0'::pg_lsn", lsn)) for lsn in (began, ended)
    )
    read = b""
    for start in range(first - first % size, last, size):
        lsn = one(url, "select ('0/0'::pg_lsn + %s)::text", start + 1)
        content = (folder / one(url, "select pg_walfile_name(%s::pg_lsn)", lsn)).read_bytes()
        read += content[max(first - start, 0) : last - start]
    return read


def data_files(url: str) -> bytes:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("checkpoint")
    number = one(url, "select oid from pg_database where datname = current_database()")
    files = sorted((home(url) / "base" / number).iterdir())
    return b"".join(file.read_bytes() for file in files)


def test_the_table_of_places_names_every_sealed_column() -> None:
    """The decision record lists what is sealed; a new sealed column is told there too."""
    from ris.core import resealing

    record = Path(__file__).parents[2] / "docs/decisions/0006-matricule-sealed-at-rest.md"
    text = record.read_text(encoding="utf-8")
    missing = {f"{p.table}.{p.column}" for p in resealing.places()}
    assert {name for name in missing if f"`{name}`" not in text} == set()
