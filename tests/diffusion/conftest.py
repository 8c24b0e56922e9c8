from pathlib import Path

import pytest

from ris.core.db import Database
from tests.diffusion.bench import Bench


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Bench:
    return Bench(database, tmp_path / "remote")
