"""The five simulators started together, on one test PKI: what `ris sandbox` and the demo run.

Only starting, stopping and who lives there; each simulator's rules are in its own module.
"""

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lxml.builder import ElementMaker

from ris.core.crypto import Credential
from ris.core.xml import serialise
from ris.sandbox import insi
from ris.sandbox.annuaire import REQUESTER_ADDRESS, REQUESTER_CABINET, Annuaire
from ris.sandbox.dmp.registry import DmpPatient
from ris.sandbox.dmp.service import DmpSandbox
from ris.sandbox.faults import Faults
from ris.sandbox.insi import InsiSandbox
from ris.sandbox.insi_people import PEOPLE
from ris.sandbox.mss.accounts import PATIENT_DOMAIN, Account
from ris.sandbox.mss.operator import SandboxOperator
from ris.sandbox.pki import TestPki
from ris.sandbox.psc import PscProvider, RegisteredClient
from ris.sandbox.psc_people import RADIOLOGIST_A, RADIOLOGIST_B, Person
from ris.sandbox.server import Running, serve

API_KEY: Final = "cle-de-bac-a-sable"
CLIENT_ID: Final = "ris-core"
CLIENT_SECRET: Final = "secret-de-bac-a-sable"  # noqa: S105 - of the sandbox only
HOMOLOGATION: Final = "HOMOLOGATION-BAC-A-SABLE"
DOMAIN: Final = "medecin.test.mssante.fr"
WHITELIST: Final = (DOMAIN, PATIENT_DOMAIN)
RADIOLOGISTS: Final = (RADIOLOGIST_A, RADIOLOGIST_B)


def mailbox_of(person: Person) -> str:
    """Return the nominative mailbox of a fictitious professional."""
    return f"{person.given}.{person.family}@{DOMAIN}".lower()


class Sandbox:
    """INSi, Pro Santé Connect, the Annuaire Santé, the DMP and an MSSanté operator.

    *directory* keeps the PKI between runs; *api_url* is the product's own address, registered at
    the OpenID provider; *radiologists* have a mailbox and the certificates of their first
    workplace. A context manager; addresses are known once it is entered.
    """

    def __init__(
        self,
        directory: Path,
        *,
        api_url: str,
        faults: Faults | None = None,
        radiologists: Sequence[Person] = RADIOLOGISTS,
    ) -> None:
        self.directory = directory
        self.radiologists = radiologists
        self.api_url = api_url
        self.faults = faults or Faults()
        self.pki = TestPki(directory / "pki")
        self.psc = PscProvider(_client(api_url))
        self.annuaire = Annuaire(API_KEY)
        self.dmp = DmpSandbox(
            self.pki.believes,
            patients=[DmpPatient(one.oid, one.number) for one in PEOPLE],
            homologations=frozenset({HOMOLOGATION}),
            faults=self.faults,
        )
        self.operator = SandboxOperator(
            self.pki, self.faults, whitelist=WHITELIST, mailboxes=_mailboxes(radiologists)
        )
        self.insi_url = self.insi_cpx_url = self.psc_url = self.annuaire_url = self.dmp_url = ""
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        server = self.pki.server()
        self.psc_url = self._serve(self.psc.app, server)
        self.psc.base_url = self.psc_url
        self.annuaire_url = self._serve(self.annuaire.app, server)
        by_structure = insi.build(self.faults)
        self.insi: InsiSandbox = by_structure.state.insi
        self.insi_url = self._serve(by_structure, server, mutual=True) + insi.PATH
        by_card = insi.build(self.faults, believes=self.pki.believes)
        self.insi_cpx_url = self._serve(by_card, server) + insi.PATH
        self.dmp_url = self._serve(self.dmp.app, server, mutual=True)
        self._stack.enter_context(self.operator)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _serve(self, app: object, server: Credential, *, mutual: bool = False) -> str:
        running: Running = serve(
            app,  # type: ignore[arg-type]  # FastAPI and Starlette are ASGI apps
            tls=server,
            client_ca=self.pki.trust if mutual else None,
            client_cert="required" if mutual else "none",
            crl=self.pki.crl if mutual else None,
        )
        self._stack.enter_context(running)
        return running.url

    def write_certificates(self, directory: Path) -> None:
        """Write the certificates of every practice as `<struct_idnat>/<usage>.crt` and `.key`."""
        for person in self.radiologists:
            struct = person.workplaces[0].struct_idnat
            issued = {
                "AUTH_CLI": self.pki.organisation(struct, "AUTH_CLI"),
                "SIGN": self.pki.organisation(struct, "SIGN"),
                "INSI": self.pki.organisation(struct, "AUTH_CLI", name="INSI-MANU"),
            }
            folder = directory / struct
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for usage, credential in issued.items():
                shutil.copy(credential.certificate, folder / f"{usage}.crt")
                shutil.copy(credential.key, folder / f"{usage}.key")

    def write_whitelist(self, path: Path) -> None:
        """Write the white list of domains in the form of the national one (mss.md §4)."""
        path.parent.mkdir(parents=True, exist_ok=True)
        namespace = "https://listeblanche.mssante.fr/schema"
        make = ElementMaker(namespace=namespace, nsmap={None: namespace})
        domains = [make.Domaine(make.Nom(name)) for name in WHITELIST]
        path.write_bytes(serialise(make.ListeBlanche(*domains)))


def _client(api_url: str) -> RegisteredClient:
    site = f"{api_url}/auth/psc"
    return RegisteredClient(
        CLIENT_ID, CLIENT_SECRET, (f"{site}/callback",), (f"{site}/logged-out",)
    )


def _mailboxes(radiologists: Sequence[Person]) -> list[Account]:
    staff = [Account(mailbox_of(one), one.workplaces[0].struct_idnat) for one in radiologists]
    patients = [Account(f"{one.number}@{PATIENT_DOMAIN}") for one in PEOPLE]
    return [*staff, Account(REQUESTER_ADDRESS), Account(REQUESTER_CABINET), *patients]
