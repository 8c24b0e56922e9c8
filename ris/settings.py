"""Every setting of the product, what a site has not given yet, what one tells another.

`RIS_<FEATURE>__<NAME>`; each feature declares its own. No object is built here (`ris.app`).
"""

from pathlib import Path

from ris.auth.certificates.settings import PoolSettings
from ris.auth.settings import AuthSettings
from ris.core.audit_retention import JournalSettings
from ris.core.settings import CoreSettings
from ris.diffusion.settings import DiffusionSettings
from ris.dmp.settings import DmpSettings
from ris.identity.settings import IdentitySettings
from ris.interop.fhir.settings import FhirSettings
from ris.interop.hl7v2.settings import Hl7Settings
from ris.mss.settings import MssSettings
from ris.reports.settings import ReportSettings


class Settings(CoreSettings):
    """Every setting of the product: `RIS_<FEATURE>__<NAME>`."""

    auth: AuthSettings = AuthSettings()
    identity: IdentitySettings = IdentitySettings()
    reports: ReportSettings = ReportSettings()
    mss: MssSettings = MssSettings()
    dmp: DmpSettings = DmpSettings()
    diffusion: DiffusionSettings = DiffusionSettings()
    hl7: Hl7Settings = Hl7Settings()
    journal: JournalSettings = JournalSettings()
    fhir: FhirSettings = FhirSettings()


def missing(settings: Settings) -> list[str]:
    """Return, in French, every setting that the main job needs and this site has not given."""
    production = settings.environment == "production"
    psc, insi, dmp = settings.auth.psc, settings.identity.insi, settings.dmp
    keyring = settings.keyring or not production
    database = settings.database_url or not production or settings.allow_embedded
    given = {
        "RIS_DATABASE_URL (ou RIS_ALLOW_EMBEDDED=true) : base de données": database,
        "RIS_KEYRING : trousseau de clés (ris keys generate)": keyring,
        "RIS_TRUST_STORE : autorités de certification (IGC-Santé)": settings.trust_store,
        "RIS_AUTH__PSC__CLIENT_SECRET ou __CERTIFICATE : Pro Santé Connect": (
            psc.client_secret.get_secret_value() or psc.certificate
        ),
        "RIS_AUTH__ANNUAIRE__API_KEY : Annuaire Santé": (
            settings.auth.annuaire.api_key.get_secret_value()
        ),
        "RIS_AUTH__CERTIFICATES : certificats des structures": settings.auth.certificates,
        "RIS_IDENTITY__INSI__ENDPOINT et __IDAM : INSi": insi.endpoint and insi.idam,
        "RIS_DMP__REPOSITORY_URL, __REGISTRY_URL, __PATIENTS_URL : DMP": (
            dmp.repository_url and dmp.registry_url and dmp.patients_url
        ),
        "RIS_DMP__HOMOLOGATION : numéro d'homologation DMP": dmp.homologation,
        "RIS_MSS__MAILBOXES et __OPERATORS : MSSanté": (
            settings.mss.mailboxes and settings.mss.operators
        ),
        **settings.auth.card.wanted(settings.auth.origin),
    }
    return [name for name, value in given.items() if not value]


def keyring_path(settings: Settings) -> Path:
    """Return where the key ring is: `RIS_KEYRING`, else in the data folder."""
    return settings.keyring or settings.data_dir / "keyring.json"


def coherent(settings: Settings) -> Settings:
    """Give every feature the site's trust store, and one answer to "is this production?"."""
    common, production = settings.trust_store, settings.environment == "production"
    psc, annuaire = settings.auth.psc, settings.auth.annuaire
    auth = settings.auth.model_copy(
        update={
            "psc": psc.model_copy(update={"trust": psc.trust or common}),
            "annuaire": annuaire.model_copy(update={"trust": annuaire.trust or common}),
            "pool": _pool(settings),
        }
    )
    mss = {"trust": settings.mss.trust or common, "test_oids": not production}
    dmp = {"trust": settings.dmp.trust or common, "production": production}
    return settings.model_copy(
        update={
            "auth": auth,
            "mss": settings.mss.model_copy(update=mss),
            "dmp": settings.dmp.model_copy(update=dmp),
        }
    )


def _pool(settings: Settings) -> PoolSettings:
    """Give the certificate pool the site's authorities, and every other certificate to watch."""
    pool, psc, card, hl7 = (
        settings.auth.pool, settings.auth.psc, settings.auth.card, settings.hl7,
    )  # fmt: skip
    known = {
        "PSC": psc.certificate,
        "CARD_LOGIN": card.server_certificate if card.enabled else None,
        "HL7": hl7.certificate,
        **{f"HL7_{one.name}"[:64]: one.certificate for one in hl7.partners},
    }
    watched = {name: path for name, path in known.items() if path is not None}
    return pool.model_copy(
        update={
            "trust": pool.trust or settings.trust_store,
            "production": settings.environment == "production",
            "watched": {**watched, **pool.watched},
        }
    )
