"""What a hospital checks in the container files, read from the files themselves."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_the_image_is_multi_stage_hashed_and_not_root() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert DOCKERFILE.count("\nFROM ") == 2
    assert "--require-hashes" in DOCKERFILE
    assert "USER 10001:10001" in final
    assert "HEALTHCHECK" in final
    assert "STOPSIGNAL SIGTERM" in final
    assert "apt-get" not in final
    assert not re.search(r"(?i)(password|secret|token)\s*=", DOCKERFILE)


def test_base_images_are_pinned_to_a_patch_version() -> None:
    names = [*re.findall(r"ARG PYTHON=(\S+)", DOCKERFILE), SERVICES["db"]["image"]]
    assert len(names) == 2
    for name in names:
        assert re.search(r":\d+\.\d+", name), name
        assert "latest" not in name


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "healthcheck" in service or name == "api"


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"db"}))
def test_our_services_run_as_the_image_user(name: str) -> None:
    assert SERVICES[name]["user"] == "10001:10001"


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_come_from_files_never_from_the_environment(name: str) -> None:
    for key, value in SERVICES[name].get("environment", {}).items():
        if re.search(r"PASSWORD|SECRET|TOKEN|KEYRING|DATABASE_URL", key):
            assert str(value).startswith("/run/secrets/"), key
    assert SERVICES[name]["secrets"]


def test_the_database_publishes_no_port_and_the_api_only_on_loopback() -> None:
    assert "ports" not in SERVICES["db"]
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["api"]["ports"])


def test_nothing_starts_before_the_migrations_have_succeeded() -> None:
    for name in ("api", "worker"):
        wanted = SERVICES[name]["depends_on"]["migrate"]["condition"]
        assert wanted == "service_completed_successfully"
