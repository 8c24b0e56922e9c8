"""Backup and restore of the database, by PostgreSQL's own client programs.

No format of ours. The password never shows in the process list.
"""

import os
import subprocess
from pathlib import Path
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ris.core import embedded
from ris.core.errors import Conflict, NotConfigured

_TABLES: Final = "select 1 from pg_tables where schemaname = 'public' limit 1"


def dump(url: str, file: Path) -> None:
    """Write the database of *url* to *file* (pg_dump custom format, mode 0600, in one step).

    Raises `NotConfigured` when pg_dump is absent or fails.
    """
    fresh = file.with_name(file.name + ".part")
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as output:
        _run("pg_dump", url, "--format=custom", "--no-owner", stdout=output.fileno())
    fresh.replace(file)


def restore(url: str, file: Path) -> None:
    """Fill the empty database of *url* from *file*, all or nothing.

    Raises `Conflict` when the database holds tables: a restore never mixes two states.
    """
    with psycopg.connect(_libpq(url)) as connection:
        if connection.execute(_TABLES).fetchone():
            raise Conflict("La base à restaurer doit être vide.", code="DATABASE_NOT_EMPTY")
    _run("pg_restore", url, "--single-transaction", "--exit-on-error", "--no-owner", str(file))


def _run(program: str, url: str, *options: str, stdout: int = subprocess.DEVNULL) -> None:
    parts = conninfo_to_dict(_libpq(url))
    password = parts.pop("password", None)
    target = make_conninfo("", **{name: str(value) for name, value in parts.items()})
    secret = {"PGPASSWORD": str(password)} if password else {}
    done = subprocess.run(
        [embedded.tool(program), "--dbname", target, *options],
        check=False, stdout=stdout, stderr=subprocess.PIPE, env=embedded.environment() | secret,
    )  # fmt: skip
    if done.returncode:
        raise NotConfigured(f"{program} a échoué.", reason=done.stderr.decode(errors="replace"))


def _libpq(url: str) -> str:
    return "postgresql://" + url.partition("://")[2]
