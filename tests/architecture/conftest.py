from collections.abc import Iterator
from pathlib import Path

import pytest

from ris import app as root
from ris.core.db import Database
from tests.security.product import Product, running


@pytest.fixture
def product(database: Database, tmp_path: Path) -> Iterator[Product]:
    """The whole product with the settings of a fresh installation, and no outside service."""
    settings = root.Settings(environment="test", data_dir=tmp_path)
    with running(database, settings) as made:
        yield made
