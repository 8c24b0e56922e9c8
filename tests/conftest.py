"""Fixtures every test folder shares (owned by CORE); the plugins are loaded here."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from ris.sandbox.pki import TestPki

pytest_plugins = ["tests.plugin_rem", "tests.plugin_database", "tests.ins_day.table"]

ROOT = Path(__file__).parents[1]
END = "-----END CERTIFICATE-----\n"


gc.set_threshold(50_000, 20, 20)  # a tenth of the suite's time went looking for rubbish


def pytest_collection_finish() -> None:
    """What importing made stays: never look at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def few_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One authority of the world, for clients that name none: no test reaches the world.

    Reading its hundred and more took 16 ms for each client, of plain HTTP too.
    """
    bundle = tmp_path_factory.mktemp("world") / "authorities.pem"
    bundle.write_text(Path(certifi.where()).read_text(encoding="utf-8").partition(END)[0] + END)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(bundle))
        patch.setenv("SSL_CERT_FILE", str(bundle))
        yield


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
