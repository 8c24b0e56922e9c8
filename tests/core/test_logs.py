"""The logs: JSON, one shape for every library, and no NIR whatever the way in."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from ris.core import logs
from ris.core.errors import Transient

NIR = "279035121518989"
FORMS = [
    NIR,
    NIR[:13],
    "2 79 03 51 215 189 89",
    "2.79.03.51.215.189",
    "1850520006084 36",
    "185052A00608436",
]
EVERY_LOGGER = [
    "", "ris.dmp.client", "uvicorn", "uvicorn.error", "uvicorn.access", "procrastinate",
    "procrastinate.worker", "httpx", "httpcore.http11", "sqlalchemy.engine", "sqlalchemy.pool",
    "alembic.runtime", "aiosmtplib", "asyncio", "mail.log", "py.warnings",
]  # fmt: skip


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """The stream of a configured process, restored afterwards."""
    names = [None, *EVERY_LOGGER[1:]]
    before = {
        name: (one.handlers[:], one.level, one.propagate)
        for name in names
        for one in [logging.getLogger(name)]
    }
    stream = io.StringIO()
    logs.configure(level="DEBUG", stream=stream)
    yield stream
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    logging.raiseExceptions = True
    for name, (handlers, level, propagate) in before.items():
        logger: Any = logging.getLogger(name)
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def entries(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("nir", FORMS)
@pytest.mark.parametrize("name", EVERY_LOGGER)
def test_no_logger_lets_a_nir_through(lines: io.StringIO, name: str, nir: str) -> None:
    logger = logging.getLogger(name)
    logger.warning("patient %s", nir)
    logger.error(f"GET /patients?ins={nir}&x=1", extra={"who": nir, "deep": {"list": [nir]}})
    try:
        raise ValueError(f"bad value {nir}")
    except ValueError:
        logger.exception("failed for %s", nir)
    assert nir not in lines.getvalue()
    assert len(entries(lines)) == 3


def test_structlog_takes_the_same_road(lines: io.StringIO) -> None:
    log = structlog.get_logger("ris.mss")
    log.info("sent", recipient=f"{NIR}@patient.mssante.fr", number=int(NIR), delivery_id="d-1")
    try:
        raise Transient("Réseau coupé.") from KeyError(f"nom DURAND {NIR}")
    except Transient:
        log.exception("broken")
    sent, broken = entries(lines)
    assert NIR not in lines.getvalue()
    assert "DURAND" not in lines.getvalue()
    assert sent["recipient"] == "***@patient.mssante.fr"
    assert sent["number"] == "***"
    assert sent["delivery_id"] == "d-1"
    assert [one["type"] for one in broken["exception"]] == [
        "ris.core.errors.Transient", "builtins.KeyError",
    ]  # fmt: skip
    assert broken["exception"][0]["code"] == "REMOTE_UNAVAILABLE"
    assert broken["exception"][0]["frames"][0].endswith("test_structlog_takes_the_same_road")


@pytest.mark.parametrize(
    "key",
    ["nom", "prenom", "birth_date", "birthName", "access_token", "patient_address", "Authorization",
     "matricule", "body", "password"],
)  # fmt: skip
def test_a_denied_key_is_masked_at_any_depth(lines: io.StringIO, key: str) -> None:
    structlog.get_logger().info("x", outer=[{key: "MARTIN"}], **{key: "MARTIN"})
    assert "MARTIN" not in lines.getvalue()


def test_the_context_is_on_every_line_of_every_library(lines: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        structlog.get_logger().info("ours")
        logging.getLogger("uvicorn.error").info("theirs")
    assert [entry["request_id"] for entry in entries(lines)] == ["r-1", "r-1"]
    assert {"timestamp", "level", "logger", "event"} <= set(entries(lines)[0])


def test_bytes_and_warnings_do_not_leak_either(lines: io.StringIO) -> None:
    structlog.get_logger().info("x", raw=f"<id>{NIR}</id>".encode())
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"odd {NIR}", UserWarning, stacklevel=1)
    wrong = "%d %d"  # a format that fails must not print its arguments
    logging.getLogger("ris").info(wrong, NIR)
    assert NIR not in lines.getvalue()
    assert entries(lines)[0]["raw"] == "[24 octets]"


@pytest.mark.parametrize(
    "kept",
    [
        "899700991013",
        "1.2.250.1.213.1.4.10",
        "2.25.329800735698586629295641978511506172918",
        "0199f2a4-7d3c-7abc-8def-012345678901",
        "2026-11-22T14:30:00.123456Z",
    ],
)
def test_an_identifier_that_is_not_a_nir_stays_readable(kept: str) -> None:
    assert logs.mask(kept) == kept
