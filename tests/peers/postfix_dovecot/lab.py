"""A real operator for the tests: Postfix and Dovecot in a folder of their own, on free ports.

Needs root and the Debian packages; touches neither /etc nor any system service (mss.md §19).
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from ris.core.crypto import Credential

HERE: Final = Path(__file__).parent
PATIENT_DOMAIN: Final = "patient.mssante.fr"
DOMAIN: Final = "medecin.test.mssante.fr"
_PROGRAMS: Final = ("postfix", "dovecot", "doveadm")
_LMTP: Final = Path("/usr/lib/dovecot/lmtp")
_QUIET: Final = {
    "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL
}  # fmt: skip


def missing() -> str | None:
    """Return the one reason why the lab cannot run here, or None."""
    absent = [name for name in _PROGRAMS if shutil.which(name) is None]
    if absent or not _LMTP.exists():
        return "install postfix dovecot-imapd dovecot-lmtpd (.ci/run does) to meet the real peers"
    return "postfix and dovecot need root" if os.geteuid() != 0 else None


@dataclass(frozen=True, slots=True)
class Lab:
    """A running operator: two ports, and where its daemons write."""

    smtp_port: int
    imap_port: int
    folder: Path

    def logs(self) -> str:
        """Return what the daemons said."""
        files = (self.folder / "mail.log", self.folder / "dovecot.log")
        return "\n".join(path.read_text() for path in files if path.exists())

    def inbox(self, address: str) -> list[bytes]:
        """Return the mails of *address*, as delivered."""
        box = self.folder / "mail" / address
        return [
            path.read_bytes() for new in ("new", "cur") for path in sorted(box.glob(f"{new}/*"))
        ]


@contextmanager
def running(server: Credential, trust: Path, passwords: Mapping[str, str]) -> Iterator[Lab]:
    """Run the operator with the mailboxes of *passwords* (address to password)."""
    folder = Path(tempfile.mkdtemp(prefix="ris-operator-"))
    folder.chmod(0o755)
    lab = Lab(_free_port(), _free_port(), folder)
    try:
        _write(lab, server, trust, passwords)
        _start(lab)
        yield lab
    finally:
        _stop(lab)
        shutil.rmtree(folder, ignore_errors=True)


def _write(lab: Lab, server: Credential, trust: Path, passwords: Mapping[str, str]) -> None:
    folder = lab.folder
    for name in ("postfix", "queue", "data", "mail", "run", "state"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    shutil.chown(folder / "mail", "nobody", "nogroup")
    for name, source in (("cert.pem", server.certificate), ("key.pem", server.key)):
        shutil.copy(source, folder / name)
    shutil.copy(trust, folder / "ca.pem")
    values = {
        "folder": str(folder), "smtp_port": str(lab.smtp_port), "imap_port": str(lab.imap_port),
        "domains": f"{DOMAIN} {PATIENT_DOMAIN}",
    }  # fmt: skip
    for template, target in (
        ("dovecot.conf", "dovecot.conf"),
        ("main.cf", "postfix/main.cf"),
        ("master.cf", "postfix/master.cf"),
    ):
        text = Template((HERE / template).read_text()).substitute(values)
        (folder / target).write_text(text)
    (folder / "users").write_text(
        "".join(f"{address}:{{PLAIN}}{secret}::::::\n" for address, secret in passwords.items())
    )
    (folder / "mailboxes").write_text("".join(f"{address} ok\n" for address in passwords))


def _start(lab: Lab) -> None:
    subprocess.run(["dovecot", "-c", lab.folder / "dovecot.conf"], check=True, **_QUIET)  # type: ignore[call-overload]
    subprocess.run(["postfix", "-c", lab.folder / "postfix", "start"], check=True, **_QUIET)  # type: ignore[call-overload]
    deadline = time.monotonic() + 15
    for port in (lab.smtp_port, lab.imap_port):
        while not _answers(port):
            if time.monotonic() > deadline:
                raise RuntimeError(lab.logs())
            time.sleep(0.05)


def _stop(lab: Lab) -> None:
    subprocess.run(["postfix", "-c", lab.folder / "postfix", "stop"], check=False, **_QUIET)  # type: ignore[call-overload]
    subprocess.run(["doveadm", "-c", lab.folder / "dovecot.conf", "stop"], check=False, **_QUIET)  # type: ignore[call-overload]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
