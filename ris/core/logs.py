"""Logs: JSON lines on one stream, from every library alike, with nothing of a patient in them.

Configuration and redaction only; what is worth logging is each module's affair. The journal of
acts is `ris.core.audit`, never the logs.
"""

import logging
import re
import sys
import traceback
from collections.abc import Mapping
from typing import Any, Final, TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from ris.core.errors import RisError

MASK: Final = "***"
_SEPARATOR: Final = r"[ .\-\u00a0\u202f]?"
_NIR: Final = re.compile(
    r"(?<![0-9])(?:[0-9]{5}(?:[0-9]{2}|2[ABab])[0-9]{6}[0-9]{0,2}"
    rf"|[1-478]{_SEPARATOR}[0-9]{{2}}{_SEPARATOR}[0-9]{{2}}{_SEPARATOR}(?:[0-9]{{2}}|2[ABab])"
    rf"{_SEPARATOR}[0-9]{{3}}{_SEPARATOR}[0-9]{{3}}(?:{_SEPARATOR}[0-9]{{2}})?)(?![0-9])"
)
_PATIENT_ADDRESS: Final = re.compile(r"[^\s@<>\"'(),;:=]+@patient\.mssante\.fr", re.IGNORECASE)
_DENIED: Final = re.compile(
    r"(?:^|_)(?:nom|noms|prenom|prenoms|family|given|matricule|nir|ins|birth\w*|naissance|address|"
    r"addresses|adresse|body|content|password|secret|token|assertion|authorization|cookie)(?:$|_)",
    re.IGNORECASE,
)
_CHATTY: Final = (
    "httpx", "httpcore", "sqlalchemy", "aiosmtplib", "asyncio", "mail.log", "procrastinate",
)  # fmt: skip
_OWN_HANDLERS: Final = ("uvicorn", "uvicorn.error", "uvicorn.access", "procrastinate", "alembic")


def configure(*, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every logger of the process, structlog's and the standard one's, to *stream* as JSON.

    Values bound with `structlog.contextvars.bind_contextvars` (request, actor, delivery ids) are
    on every line. Libraries whose INFO lines hold addresses or parameters start at WARNING.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                describe_exception,
                redact,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    _take_over(handler, level)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Structlog processor: mask denied keys, NIR-like digits, patients' addresses, at any depth."""
    return {key: MASK if _DENIED.search(key) else _redacted(value) for key, value in event.items()}


def mask(value: str) -> str:
    """Return *value* without NIR-like strings (13 to 15 digits) nor `@patient.mssante.fr` names."""
    return _PATIENT_ADDRESS.sub(f"{MASK}@patient.mssante.fr", _NIR.sub(MASK, value))


def describe_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Structlog processor: an exception becomes its types, codes and places in the code.

    Its message is kept only when it is ours: a library's may quote what the patient is called.
    """
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    chain: list[dict[str, object]] = []
    while isinstance(error, BaseException) and len(chain) < 5:
        chain.append(_described(error))
        error = error.__cause__ or error.__context__
    if chain:
        event["exception"] = chain
    return event


def _described(error: BaseException) -> dict[str, object]:
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    own = {"code": error.code, "detail": error.detail} if isinstance(error, RisError) else {}
    return {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        **own,
        "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }


def _redacted(value: object) -> object:
    if isinstance(value, Mapping):
        return redact(None, "", {str(key): item for key, item in value.items()})
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(item) for item in value]
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if mask(str(value)) == str(value) else MASK
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} octets]"
    return mask(str(value))


def _take_over(handler: logging.Handler, level: str) -> None:
    """Make *handler* the only one of the process; no library keeps a channel of its own."""
    logging.raiseExceptions = False  # a failing handler would print the arguments on stderr
    logging.captureWarnings(capture=True)
    root: Any = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in (*_OWN_HANDLERS, *_CHATTY):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(logging.WARNING if name in _CHATTY else logging.NOTSET)
