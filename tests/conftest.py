"""Fixtures every test folder shares (owned by CORE); the plugins are loaded here."""

import os
from pathlib import Path

import pytest

from ris.sandbox.pki import TestPki

pytest_plugins = ["tests.plugin_rem", "tests.plugin_database", "tests.ins_day.table"]

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def conformance() -> Path:
    """The folder of official data, read in place (`RIS_CONFORMANCE_DIR`)."""
    folder = Path(os.environ.get("RIS_CONFORMANCE_DIR", ROOT.parent / "shared" / "conformance"))
    if not folder.is_dir():
        pytest.skip(f"official data absent: set RIS_CONFORMANCE_DIR ({folder} is not a folder)")
    return folder


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> TestPki:
    """A throw-away authority for this session; revoke only certificates made for the test."""
    return TestPki(tmp_path_factory.mktemp("pki"))
