"""The practice that the campaigns share: seeded once for the module, never emptied."""

from collections.abc import Iterator

import pytest

from ris import app as root
from ris.core.db import Database
from tests.security.conftest import sandbox, told
from tests.security.lived import MORE, Lived, live
from tests.security.product import running

__all__ = ["sandbox", "told"]


@pytest.fixture(scope="module")
def lived(apart: str, told: dict[str, str]) -> Iterator[Lived]:
    """A practice at work, on its own database."""
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
