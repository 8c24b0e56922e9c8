from collections.abc import Iterator

import httpx
import pytest

from ris import app as root
from ris.auth.rights import Role
from ris.core.db import Database
from ris.demo.environment import environment
from ris.demo.processes import free_port
from ris.sandbox.services import Sandbox
from tests.security.lived import MORE, Lived, live
from tests.security.product import Product, running


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Every outside service, running."""
    folder = tmp_path_factory.mktemp("sandbox")
    with Sandbox(folder, api_url=f"http://127.0.0.1:{free_port()}") as services:
        yield services


@pytest.fixture(scope="session")
def told(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment variables that lead the product to the sandbox."""
    return environment(sandbox, tmp_path_factory.mktemp("site") / "settings")


@pytest.fixture
def settings(told: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> root.Settings:
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return root.Settings()


@pytest.fixture(scope="module")
def lived(apart: str, told: dict[str, str]) -> Iterator[Lived]:
    """A practice that has worked, on a database of its own: shared by a module, never emptied."""
    database = Database(apart, pool_size=20)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (told | MORE).items():
            patch.setenv(name, value)
        settings = root.Settings()
    try:
        with running(database, settings) as product:
            yield live(product)
    finally:
        database.close()


@pytest.fixture
def product(database: Database, settings: root.Settings) -> Iterator[Product]:
    """The whole product, listening."""
    with running(database, settings) as made:
        yield made


@pytest.fixture
def doctor(product: Product) -> httpx.Client:
    """The radiologist, signed in."""
    return product.signed_in(Role.RADIOLOGIST)


@pytest.fixture
def desk(product: Product) -> httpx.Client:
    """The secretary, signed in."""
    return product.signed_in(Role.SECRETARY)


@pytest.fixture
def officer(product: Product) -> httpx.Client:
    """The identity officer, signed in."""
    return product.signed_in(Role.IDENTITY_OFFICER)


@pytest.fixture
def administrator(product: Product) -> httpx.Client:
    """The administrator of rights, signed in."""
    return product.signed_in(Role.ADMIN_SECURITY)


@pytest.fixture
def auditor(product: Product) -> httpx.Client:
    """The reviewer of the journal, signed in."""
    return product.signed_in(Role.AUDITOR)
