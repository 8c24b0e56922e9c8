"""A million invented patients, names spread as French ones are, in a database kept for next time.

Rows are made by the server; those that bear an INS are then written by the model itself.
"""

import itertools
import random
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import select

from ris.core import schema
from ris.core.audit import SYSTEM
from ris.core.crypto import Keyring
from ris.core.db import Database
from ris.diffusion.engine_schema import engine_schema
from ris.identity import matricule
from ris.identity.foreign import trust
from ris.identity.foreign.model import TrustScope
from ris.identity.model import Patient
from ris.identity.search import _names, key_of
from ris.identity.values import NIR_TEST, Status
from tests.interop.hl7v2.sample import DOMAIN

PATIENTS: Final = 1_000_000
WITH_INS: Final = 100_000
_COMMON: Final = (
    "MARTIN BERNARD THOMAS PETIT ROBERT RICHARD DURAND DUBOIS MOREAU LAURENT SIMON MICHEL LEFEBVRE "
    "LEROY ROUX DAVID BERTRAND MOREL FOURNIER GIRARD BONNET DUPONT LAMBERT FONTAINE ROUSSEAU "
    "VINCENT MULLER LEFEVRE FAURE ANDRE MERCIER BLANC GUERIN BOYER GARNIER CHEVALIER FRANCOIS"
)
_HEADS: Final = (
    "LE,DE,DU,LA,BOU,CHA,MAR,BER,GUI,PER,ROU,VIL,MON,CAR,GAU,BAR,LAN,FER,COL,DES,SAU,TRI,VAL,REY,"
    "BEN,HAM,NGU,DIA,KER,PLE,O',D'"
)
_MIDDLES: Final = (
    "RAN,BER,MON,LIN,TEL,VIE,CHE,GNO,SSE,LLE,DOU,RDI,NTI,CAR,POU,MEN,RIV,SAN,TOU,VER,BAS,COU"
)
_TAILS: Final = "T,ARD,EAU,IER,ON,IN,ET,OT,EZ,AC,OUX,AIN,ES,E,IS,AUD,ELLE,AND,EL,ERT"
_GIVEN: Final = (
    "MARIE JEAN PIERRE MICHEL ANDRE PHILIPPE ALAIN CATHERINE NATHALIE ISABELLE SYLVIE FRANCOISE "
    "MONIQUE NICOLAS JULIEN THOMAS CELINE SANDRINE STEPHANIE CAMILLE LEA MANON EMMA LUCAS HUGO "
    "LOUIS GABRIEL JULES ARTHUR JEAN-PIERRE MARIE-CLAUDE ANNE-MARIE JEAN-LUC FATIMA MOHAMED KARIM "
    "INES SOFIA YANN LOIC MAELLE GWENAELLE THEO ENZO CLARA CHLOE SARAH LUCIE PAUL ALICE LOUISE"
)

_PATIENTS_SQL: Final = """
insert into patient (id, ipp, ipp_oid, birth_family, birth_given_names, first_birth_given,
  birth_date, sex, birth_place, used_family, used_given, status, attributes, address, phone,
  created_at, updated_at, version)
select uuidv7(), 'B' || lpad(n::text, 8, '0'), %(oid)s, family,
  case when second = first then first else first || ' ' || second end, first,
  case when unsure < 0.01 then date_trunc('year', born)::date else born end, sex, place,
  case when sex = 'F' and unsure > 0.6 then used else '' end, '', 'provisoire', '[]', '{}', '',
  now(), now(), 1
from (select n, random() as unsure,
    (%(families)s::text[])[1 + floor(power(random(), 1.7) * %(many)s)::int] as family,
    (%(families)s::text[])[1 + floor(power(random(), 1.7) * %(many)s)::int] as used,
    (%(given)s::text[])[1 + floor(power(random(), 1.5) * %(few)s)::int] as first,
    (%(given)s::text[])[1 + floor(power(random(), 1.5) * %(few)s)::int] as second,
    date '1928-01-01' + floor(random() * 35400)::int as born,
    case when random() < 0.53 then 'F' else 'M' end as sex,
    lpad((1001 + floor(random() * 94000))::int::text, 5, '0') as place
  from generate_series(1, %(patients)s) as n offset 0) as drawn
"""
_HISTORY_SQL: Final = """
insert into identity_history (id, patient_id, at, event, to_status, reason, evidence, changes,
  worklist, propagate)
select uuidv7(), id, created_at, 'created', 'provisoire', '', '{}', '{}', false, true from patient
"""
_KEYS_SQL: Final = """
insert into identity_key (patient_id, field, key)
select distinct id, field, translate(name, '- ''', '') from patient, lateral (values
  ('birth_family', birth_family), ('used_family', used_family), ('first_given', first_birth_given),
  ('birth_given', birth_given_names), ('birth_given', split_part(birth_given_names, ' ', 1)),
  ('birth_given', split_part(birth_given_names, ' ', 2))) as names (field, name) where name <> ''
"""


def families() -> list[str]:
    """Return the family names, the common ones first."""
    syllables = (one.split(",") for one in (_HEADS, _MIDDLES, _TAILS))
    made = ["".join(parts) for parts in itertools.product(*syllables)]
    random.Random(7).shuffle(made)
    return [*_COMMON.split(), *made]


def keyring(folder: Path) -> Keyring:
    """Return the key ring of the database kept in *folder*, made when there is none."""
    path = folder / "keyring.json"
    return Keyring.from_file(path) if path.exists() else Keyring.generate(path)


def populated(server: str) -> str:
    """Return the URL of the million patients, made at the first call for a schema."""
    name = "identity"
    url = server.replace("/postgres?", f"/{name}?")
    with psycopg.connect(server, autocommit=True) as admin:
        known = admin.execute("select 1 from pg_database where datname = %s", (name,)).fetchone()
        if known is None:
            admin.execute(f'create database "{name}"'.encode())
    schema.upgrade(url, engine=engine_schema())
    with psycopg.connect(url) as connection:
        row = connection.execute("select exists (select from patient)").fetchone()
        if row and not row[0]:
            fill(connection)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum analyze")
    return url


def bear_ins(database: Database) -> None:
    """Let the first patients be qualifiée with an INS, unless they are."""
    with database.transaction() as session:
        last = select(Patient.ins_oid).where(Patient.ipp == f"B{WITH_INS:08}")
        if session.scalar(last):
            return
    for start in range(1, WITH_INS + 1, 5_000):
        with database.transaction() as session:
            numbers = range(start, start + 5_000)
            wanted = Patient.ipp.in_([f"B{number:08}" for number in numbers])
            for number, patient in enumerate(
                session.scalars(select(Patient).where(wanted).order_by(Patient.ipp)), start
            ):
                patient.ins_matricule, patient.ins_oid = ins_of(number, patient), NIR_TEST
                patient.status = Status.QUALIFIEE.value


def under_contract(database: Database) -> None:
    """Let the sender of the ADT feed be our own domain's repository, unless it is."""
    with database.transaction() as session:
        if trust.in_force(session, DOMAIN) is None:
            own = TrustScope.OWN_DOMAIN
            trust.sign(session, sender=DOMAIN, scope=own, label="GAM", actor=SYSTEM)


def ins_of(number: int, patient: Patient) -> str:
    """Return the invented matricule of the patient of this *number*, key included."""
    sex = "1" if patient.sex == "M" else "2"
    bare = f"{sex}{patient.birth_date:%y%m}{1 + number % 95:02}{number:06}"
    return bare + matricule.key_of(bare)


def check_keys(database: Database) -> None:
    """Assert that the server made the search keys that the product would have written."""
    with database.transaction() as session, psycopg.connect(database.url) as connection:
        for patient in session.scalars(select(Patient).order_by(Patient.ipp).limit(200)):
            told = connection.execute(
                "select field, key from identity_key where patient_id = %s", (patient.id,)
            ).fetchall()
            meant = {(f, key_of(n)) for f, n in _names(patient.traits) if n}
            assert set(told) == meant, (told, meant)


def fill(connection: "psycopg.Connection[tuple[object, ...]]", patients: int = PATIENTS) -> None:
    """Write invented patients with their first history and their search keys."""
    named, given = families(), _GIVEN.split()
    connection.execute("set session_replication_role = replica")
    connection.execute("select setseed(0.42)")
    connection.execute(
        _PATIENTS_SQL,
        {"oid": DOMAIN, "families": named, "many": len(named), "given": given,
         "few": len(given), "patients": patients},
    )  # fmt: skip
    connection.execute(_HISTORY_SQL)
    connection.execute(_KEYS_SQL)
