"""The settings (`RIS_*`) that lead the product to a running sandbox. Data only.

Every interval is short here; production values are the defaults of each feature's settings.
"""

import json
from pathlib import Path
from typing import Any, Final

from ris.sandbox.insi import IDAM
from ris.sandbox.psc_people import RADIOLOGIST_A
from ris.sandbox.services import (
    API_KEY,
    CLIENT_ID,
    CLIENT_SECRET,
    HOMOLOGATION,
    Sandbox,
    mailbox_of,
)

OID: Final = "1.2.250.1.999.1"  # of a fictitious site
RETRIES: Final = {"delays_s": [1, 2], "then_s": 2, "give_up_s": 600, "probe_s": 1}


def environment(sandbox: Sandbox, directory: Path) -> dict[str, str]:
    """Return the variables, after writing certificates, white list and key ring in *directory*.

    *sandbox* must be running.
    """
    directory = directory.resolve()
    certificates, whitelist = directory / "certificates", directory / "listeblanche.xml"
    sandbox.write_certificates(certificates)
    sandbox.write_whitelist(whitelist)
    told = {
        "environment": "test",
        "data_dir": str(directory.parent),
        "keyring": str(directory / "keyring.json"),
        "trust_store": str(sandbox.pki.trust),
        "api_url": sandbox.api_url,
        **_site(),
        **_auth(sandbox, certificates),
        **_insi(sandbox),
        **_mss(sandbox, whitelist),
        **_dmp(sandbox),
        **_diffusion(),
    }
    return {f"RIS_{name.upper()}": value for name, value in told.items()}


def _site() -> dict[str, str]:
    return _part(
        "site",
        name="SCM IMAGERIE INVENTEE",
        ipp_oid=f"{OID}.1",
        accession_oid=f"{OID}.2",
        order_oid=f"{OID}.3",
    )


def _auth(sandbox: Sandbox, certificates: Path) -> dict[str, str]:
    return _part(
        "auth",
        certificates=str(certificates),
        cookie_secure=False,
        allow_test_ids=True,
        psc__issuer=sandbox.psc.issuer,
        psc__client_id=CLIENT_ID,
        psc__client_secret=CLIENT_SECRET,
        psc__redirect_uri=f"{sandbox.api_url}/auth/psc/callback",
        psc__post_logout_redirect_uri=f"{sandbox.api_url}/auth/psc/logged-out",
        ciba__enabled=True,
        annuaire__url=f"{sandbox.annuaire_url}/fhir/v2",
        annuaire__api_key=API_KEY,
    )


def _insi(sandbox: Sandbox) -> dict[str, str]:
    return _part(
        "identity__insi",
        endpoint=sandbox.insi_url,
        cpx_endpoint=sandbox.insi_cpx_url,
        cards={
            "trust": str(sandbox.pki.trust),
            "crl": str(sandbox.pki.crl),
            "person_authorities": [sandbox.pki.issuer.load()[0].subject.rfc4514_string()],
        },
        structure=RADIOLOGIST_A.workplaces[0].struct_idnat,
        idam=IDAM,
        instance="5f1c6f2e-7b7e-4d0a-9a55-1c9d5a3f0001",
    )


def _mss(sandbox: Sandbox, whitelist: Path) -> dict[str, str]:
    operator = {
        "host": "localhost",
        "smtp_port": sandbox.operator.smtp_port,
        "imap_port": sandbox.operator.imap_port,
    }
    mailboxes = [
        {
            "address": mailbox_of(person),
            "kind": "PER",
            "auth": "RPPS_RANG_CERT",
            "ps_idnat": person.ps_idnat,
            "struct_idnat": person.workplaces[0].struct_idnat,
        }
        for person in sandbox.radiologists
    ]
    return _part(
        "mss",
        crl=str(sandbox.pki.crl),
        whitelist_file=str(whitelist),
        whitelist_url="",
        source_oid=f"{OID}.4",
        operators=json.dumps({"default": operator}),
        mailboxes=json.dumps(mailboxes),
        lost_wait="PT2S",
    )


def _dmp(sandbox: Sandbox) -> dict[str, str]:
    return _part(
        "dmp",
        patients_url=f"{sandbox.dmp_url}/patients",
        repository_url=f"{sandbox.dmp_url}/repository",
        registry_url=f"{sandbox.dmp_url}/registry",
        homologation=HOMOLOGATION,
        source_oid=f"{OID}.5",
    )


def _diffusion() -> dict[str, str]:
    return _part(
        "diffusion",
        heartbeat_s=0.5,
        stalled_s=2,
        polling_s=0.5,
        rescue_s=1,
        requeue_s=1,
        recheck_s=1,
        receipts_poll_s=1,
        own_failure_s=1,
        breaker_open_s=1,
        breaker_max_s=2,
        hold_default_s=2,
        dmp=json.dumps(RETRIES),
        mss=json.dumps(RETRIES),
    )


def _part(prefix: str, /, **values: Any) -> dict[str, str]:
    return {
        f"{prefix}__{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in values.items()
    }
