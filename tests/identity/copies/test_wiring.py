"""The product as composed: off by default, purging every day, counting what every room knows."""

from pathlib import Path

import pytest

import ris
from ris.app import Settings, create_app, running
from ris.core import clock
from tests.identity.copies.conftest import Site
from tests.identity.copies.test_purge import TERM, copies

PACKAGE = Path(ris.__file__).parent


@pytest.fixture
def configured(site: Site, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("RIS_ENVIRONMENT", "test")
    monkeypatch.setenv("RIS_DATABASE_URL", site.database.url)
    monkeypatch.setenv("RIS_KEYRING", str(site.keyring))
    return Settings()


@pytest.mark.rem("LOC-CNI-01")
def test_the_product_keeps_no_copy_unless_told_to(
    configured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not configured.identity.copies.enabled
    monkeypatch.setenv("RIS_IDENTITY__COPIES__ENABLED", "true")
    assert Settings().identity.copies.enabled


@pytest.mark.rem("RIS.INS.58", "LOC-CNI-02")
def test_the_worker_purges_every_day_even_with_the_profile_off(
    site: Site, configured: Settings
) -> None:
    site.keep(site.patient())
    with running(configured) as runtime:
        assert create_app(runtime).state.identity_copies is runtime.copies
        (job,) = [one for one in runtime.diffusion.upkeep if one.name == "purge_id_copies"]
        assert job.every_s == 86_400
        with clock.frozen(TERM):
            job.run()
    assert copies(site) == 0


def test_no_room_that_sends_or_prints_knows_the_copies() -> None:
    knowing = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "ris.identity.copies" in path.read_text(encoding="utf-8")
        and not path.is_relative_to(PACKAGE / "identity" / "copies")
    }
    assert knowing == {
        "app.py", "commands/documents.py", "commands/keys.py", "identity/settings.py",
        "orders/activity.py", "reports/activity.py", "upkeep.py",
    }  # fmt: skip
