"""The site of a journey. Its logs are searched at the end of each: no patient is ever in them."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ris.core.db import Database
from ris.demo.story import TRAITS
from ris.sandbox.pki import TestPki
from tests.journeys.site import MATRICULE, Site

PATIENT = re.compile(
    rf"{MATRICULE}|{MATRICULE[:13]}|{TRAITS['birth_family']}|{TRAITS['first_birth_given']}"
    rf"|{TRAITS['birth_date']}|[0-9]@patient\.mssante\.fr|Céphalées",
    re.IGNORECASE,
)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose `pki` every site of this session copies: keys are slow to make."""
    home = tmp_path_factory.mktemp("keys")
    TestPki(home / "pki")
    return home


@pytest.fixture
def site(keys: Path, tmp_path: Path, database: Database) -> Iterator[Site]:
    """A practice with nobody in it yet and no worker."""
    with Site(shutil.copytree(keys, tmp_path / "site"), database.url) as site:
        yield site
    assert_silent(site)


@pytest.fixture(scope="module")
def lasting_site(
    keys: Path, tmp_path_factory: pytest.TempPathFactory, apart: str
) -> Iterator[Site]:
    """A practice for a whole module, its API a process of its own."""
    home = shutil.copytree(keys, tmp_path_factory.mktemp("lasting") / "site")
    with Site(home, apart, api=True) as site:
        yield site
    assert_silent(site)


def assert_silent(site: Site) -> None:
    """Fail when a log line of this site speaks of the patient."""
    lines = [line for line in site.printed().splitlines() if PATIENT.search(line)]
    assert not lines, lines[:3]
