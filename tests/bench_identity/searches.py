"""Search and creation among a million, by the services that the API calls, journal included."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Final

from sqlalchemy import select, text

from ris.core.audit import SYSTEM
from ris.core.db import Database
from ris.identity import service
from ris.identity.duplicates import pairs as duplicates
from ris.identity.entry import Contact
from ris.identity.feature import IdentityFeature
from ris.identity.model import Patient
from ris.identity.search import Criteria
from ris.identity.settings import IdentitySettings
from ris.identity.traits import TypedTraits
from tests.bench_identity.population import PATIENTS, WITH_INS, ins_of
from tests.interop.hl7v2.sample import DOMAIN

TIMES: Final = 400


@dataclass(frozen=True)
class Timed:
    """Percentiles of one act, milliseconds."""

    p50: float
    p95: float
    p99: float


def timed(acts: Sequence[Callable[[], object]]) -> Timed:
    """Run *acts* one after the other, the first twenty for nothing."""
    took = []
    for act in acts:
        begun = time.perf_counter()
        act()
        took.append((time.perf_counter() - begun) * 1000)
    cuts = quantiles(took[20:], n=100)
    return Timed(cuts[49], cuts[94], cuts[98])


def searched(database: Database) -> dict[str, Timed]:
    """Return the percentiles of every search of the issue, and some more."""
    chance = random.Random(11)
    drawn = [_patient(database, chance.randint(1, PATIENTS)) for _ in range(TIMES)]
    qualified = [chance.randint(1, WITH_INS) for _ in range(TIMES)]
    numbers = [ins_of(n, _patient(database, n)) for n in qualified]
    return {
        "date de naissance + 3 lettres du nom": timed(
            [_search(database, p, Criteria(p.birth_date, p.birth_family[:3])) for p in drawn]
        ),
        "date de naissance + 1 lettre du nom": timed(
            [_search(database, p, Criteria(p.birth_date, p.birth_family[0])) for p in drawn]
        ),
        "date + 2 lettres du nom + 2 du prénom": timed(
            [
                _search(
                    database, p, Criteria(p.birth_date, p.birth_family[:2], p.first_birth_given[:2])
                )
                for p in drawn
            ]
        ),
        "date de naissance seule": timed(
            [_search(database, None, Criteria(p.birth_date)) for p in drawn]
        ),
        "matricule INS complet": timed(
            [_search(database, None, Criteria(matricule=one)) for one in numbers]
        ),
    }


def created(database: Database) -> tuple[Timed, int]:
    """Return the percentiles of creation with duplicate detection; how often it read all patients.

    Every new patient has a double among the million, which must be found.
    """
    chance = random.Random(13)
    drawn = [_patient(database, chance.randint(1, PATIENTS)) for _ in range(TIMES)]
    before = _whole_reads(database)
    took = timed([_create(database, patient) for patient in drawn])
    return took, _whole_reads(database) - before


def _whole_reads(database: Database) -> int:
    """Return how often PostgreSQL has read one of the large tables from end to end."""
    time.sleep(1.5)  # the server publishes its counters once a second
    tables = "('patient', 'identity_key', 'identity_history')"
    query = f"select sum(seq_scan) from pg_stat_user_tables where relname in {tables}"
    with database.transaction() as session:
        return int(session.scalar(text(query)) or 0)


def _patient(database: Database, number: int) -> Patient:
    with database.transaction() as session:
        return session.scalars(select(Patient).where(Patient.ipp == f"B{number:08}")).one()


def _search(database: Database, wanted: Patient | None, criteria: Criteria) -> Callable[[], object]:
    def act() -> None:
        with database.transaction() as session:
            found = service.find(session, criteria, IdentitySettings(), actor=SYSTEM)
        shown = {patient.id for patient in found.patients}
        assert shown
        assert wanted is None or wanted.id in shown or found.more

    return act


def _create(database: Database, like: Patient) -> Callable[[], object]:
    feature = IdentityFeature(IdentitySettings(), DOMAIN, production=False)
    typed = TypedTraits(**{**service.typed_of(like.traits), "used_given": "BANC"})

    def act() -> None:
        with database.transaction() as session:
            made = service.create(session, feature, typed, Contact(), actor=SYSTEM)
            alike = duplicates.suspects(session, made.id)
        assert like.id in {one.patient.id for one in alike}

    return act
