"""The published description of the API is that of the code."""

import json
from pathlib import Path

from ris import app as root

FILE = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


def test_the_committed_description_is_up_to_date() -> None:
    assert json.loads(FILE.read_text(encoding="utf-8")) == root.describe()


def test_each_operation_has_its_own_name_and_says_what_it_does() -> None:
    operations = [one for path in root.describe()["paths"].values() for one in path.values()]
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names)
    assert all(one.get("description") for one in operations)
