"""The composition root: the only module that knows every feature.

`compose` builds what the API, the worker and the commands share; `create_app` adds HTTP. No rule
lives here.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from fastapi import Depends, FastAPI

import ris
from ris import compartments, upkeep
from ris.auth.administration.routes import router as accounts_router
from ris.auth.break_glass.routes import router as break_glass_router
from ris.auth.card.desk import CardDesk
from ris.auth.card.routes import router as card_router
from ris.auth.card.trust import CardTrust
from ris.auth.certificates import watch
from ris.auth.certificates.routes import router as certificates_router
from ris.auth.ciba.routes import router as ciba_router
from ris.auth.compartments.routes import router as compartments_router
from ris.auth.delegation.routes import router as delegation_router
from ris.auth.dependencies import require
from ris.auth.directory.service import Directory
from ris.auth.journal.routes import router as journal_router
from ris.auth.local.routes import router as local_router
from ris.auth.manual.routes import router as manual_router
from ris.auth.rights import Permission
from ris.auth.routes import router as auth_router
from ris.auth.service import SignInDesk
from ris.auth.session_routes import router as session_router
from ris.auth.sign_in_routes import router as sign_in_router
from ris.core import embedded, resealing, schema
from ris.core.crypto import Keyring, Sealer
from ris.core.db import Database
from ris.core.errors import NotConfigured
from ris.diffusion import metrics, staff
from ris.diffusion.engine_schema import engine_schema
from ris.diffusion.identity_changes import on_identity_changed
from ris.diffusion.recipients import resolver
from ris.diffusion.routes import router as diffusion_router
from ris.diffusion.sent import sent_since
from ris.diffusion.signing import reconsider_held
from ris.diffusion.sources import CurrentFacts, ReportDocuments
from ris.diffusion.wiring import Diffusion
from ris.dmp.channel import DmpChannel
from ris.dmp.routes import DmpDesk
from ris.dmp.routes import router as dmp_router
from ris.identity.bulk.routes import router as bulk_router
from ris.identity.copies import activity, purge
from ris.identity.copies.feature import CopyFeature
from ris.identity.copies.routes import router as copies_router
from ris.identity.feature import IdentityFeature
from ris.identity.foreign.routes import router as foreign_router
from ris.identity.insi.circuit import Circuit
from ris.identity.insi.client import InsiClient
from ris.identity.insi.state_routes import router as insi_state_router
from ris.identity.insi.values import CallMode
from ris.identity.journal_routes import router as identity_journal_router
from ris.identity.paper.routes import router as scan_router
from ris.identity.record_routes import router as record_router
from ris.identity.review.routes import router as review_router
from ris.identity.routes import router as identity_router
from ris.interop.dicom.routes import router as dicom_router
from ris.interop.fhir import openapi as fhir_openapi
from ris.interop.fhir import outcome as fhir_outcome
from ris.interop.fhir.routes import router as fhir_router
from ris.interop.hl7v2.routes import router as hl7_router
from ris.interop.hl7v2.service import Inbox
from ris.mss.channel import MssChannel
from ris.mss.operators import check_configuration
from ris.mss.poll import Poller
from ris.mss.routes import MssDesk
from ris.mss.routes import router as mss_router
from ris.orders.activity import ORDERS
from ris.orders.compartment import PRACTICES
from ris.orders.routes import router as orders_router
from ris.reports.activity import REPORTS
from ris.reports.channels import ChannelName
from ris.reports.routes import router as reports_router
from ris.settings import Settings, coherent, keyring_path
from ris.web import health, middleware, problems
from ris.web.openapi import complete
from ris.web.rem_routes import router as rem_router

_DESCRIPTION: Final = "API du noyau RIS : identité, examens, comptes rendus, diffusion."
ROUTERS: Final = (
    auth_router,
    session_router,
    accounts_router,
    manual_router,
    delegation_router,
    compartments_router,
    break_glass_router,
    certificates_router,
    journal_router,
    identity_router,
    insi_state_router,
    bulk_router,
    foreign_router,
    record_router,
    identity_journal_router,
    review_router,
    scan_router,
    copies_router,
    orders_router,
    dicom_router,
    hl7_router,
    reports_router,
    mss_router,
    dmp_router,
    diffusion_router,
)
ACTIVITIES: Final = (*activity.IDENTITY, *ORDERS, *REPORTS)


@dataclass(frozen=True)
class Runtime:
    """What the API, the worker and the commands share."""

    settings: Settings
    database: Database
    sealer: Sealer
    desk: SignInDesk
    directory: Directory
    identity: IdentityFeature
    copies: CopyFeature
    diffusion: Diffusion
    inbox: Inbox
    card: CardDesk | None = None

    def close(self) -> None:
        """Close every connection that was opened."""
        if self.card is not None:
            self.card.close()
        self.desk.close()
        self.directory.close()
        self.identity.close()
        self.database.close()


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """Give the operator's PostgreSQL, or the embedded one for as long as the block lasts.

    Raises `NotConfigured` in production unless the embedded server was asked for.
    """
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    if settings.environment == "production" and not settings.allow_embedded:
        raise NotConfigured(
            "Indiquez RIS_DATABASE_URL, ou acceptez la base embarquée : RIS_ALLOW_EMBEDDED=true."
        )
    with embedded.server(settings.data_dir) as url:
        yield url


@contextmanager
def running(settings: Settings) -> Iterator[Runtime]:
    """Give a `Runtime` on a live database, and close everything at the end.

    Raises `KeyringForeign` when the key ring is not the one this database was sealed with.
    """
    with database_url(settings) as url:
        database = Database(url)
        runtime = compose(settings, database)
        try:
            resealing.check(database, runtime.sealer)
            yield runtime
        finally:
            runtime.close()


@contextmanager
def serving(settings: Settings) -> Iterator[Runtime]:
    """Give the `Runtime` of a process that stays: what is of no use among certificates is told."""
    with running(settings) as runtime:
        watch.announce(runtime.desk.certificates)
        yield runtime


def compose(settings: Settings, database: Database) -> Runtime:
    """Wire every feature; raises `NotConfigured` on settings that cannot work."""
    sealer = sealer_of(settings)
    database.seal_with(sealer)
    settings = coherent(settings)
    check_configuration(settings.mss)
    desk = SignInDesk.build(
        settings.auth, database=database, sealer=sealer, environment=settings.environment
    )
    directory = Directory.build(settings.auth.annuaire, database=database)
    told, insi = settings.identity, settings.identity.insi
    copies = CopyFeature(told.copies, told.copy_retention_months, sealer, ACTIVITIES)
    diffusion = _diffusion(settings, database, sealer, desk, copies)
    identity = IdentityFeature(
        settings=settings.identity,
        ipp_oid=settings.site.ipp_oid,
        production=settings.environment == "production",
        insi=_insi(settings, database, desk),
        partners=_attached(settings),
        card_trust=CardTrust(insi.cards).verify if insi.cards.trust else None,
        sent_since=sent_since,
        practices=(PRACTICES,),
        subscribers=[
            lambda session, change: on_identity_changed(
                session, diffusion, settings.reports, change
            ),
            lambda session, change: purge.on_identity_changed(session, copies, change),
        ],
    )
    inbox = Inbox(database, sealer, identity, settings.hl7)
    jobs = upkeep.of_identity(settings, database, identity, inbox)
    ends = upkeep.of_certificates(database, desk.certificates)
    users = upkeep.of_directory(settings, database, directory)
    diffusion = replace(diffusion, upkeep=(*diffusion.upkeep, *jobs, ends, users))
    card = CardDesk(desk) if desk.settings.card.enabled else None
    return Runtime(
        settings, database, sealer, desk, directory, identity, copies, diffusion, inbox, card
    )


def create_app(runtime: Runtime) -> FastAPI:
    """Return the HTTP application: `/v1`, the PSC addresses, health and metrics."""
    app = FastAPI(
        title="Ségur RIS Core",
        version=ris.__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = runtime.settings
    app.state.database = runtime.database
    app.state.auth = runtime.desk
    app.state.card = runtime.card
    app.state.directory = runtime.directory
    app.state.identity = runtime.identity
    app.state.identity_copies = runtime.copies
    app.state.diffusion = runtime.diffusion
    app.state.is_at_head = partial(schema.is_at_head, runtime.database.url, engine=engine_schema())
    ends = partial(watch.collect, runtime.desk.certificates)
    app.state.collectors = (metrics.collect, ends)
    changed = partial(_patient_changed, runtime.diffusion)
    app.state.mss = MssDesk(runtime.sealer, changed)
    app.state.dmp = DmpDesk(changed)
    app.state.compartments = compartments.doors(runtime.identity)
    app.state.fhir = runtime.settings.fhir
    app.state.hl7 = runtime.inbox
    problems.install(app)
    fhir_outcome.install(app)
    middleware.install(app)
    _include(app)
    return app


def _include(app: FastAPI) -> None:
    for router in ROUTERS:
        app.include_router(router, prefix="/v1")
    app.include_router(
        rem_router, prefix="/v1", dependencies=[Depends(require(Permission.REM_READ))]
    )
    app.include_router(sign_in_router)
    app.include_router(ciba_router)
    app.include_router(card_router)
    app.include_router(local_router)
    app.include_router(fhir_router, prefix=fhir_outcome.ROOT)
    app.include_router(health.router)


def _diffusion(
    settings: Settings, database: Database, sealer: Sealer, desk: SignInDesk, copies: CopyFeature
) -> Diffusion:
    pool = desk.certificates.credential
    mss = MssChannel(database, settings.mss, sealer, pool)
    poller = Poller(database, settings.mss, sealer, pool, staff.on_receipt)
    return Diffusion(
        database=database,
        channels={
            ChannelName.DMP: DmpChannel(database, settings.dmp, pool, settings.dmp.trust),
            ChannelName.MSS_PS: mss,
            ChannelName.MSS_PATIENT: mss,
        },
        settings=settings.diffusion,
        documents=ReportDocuments(settings.reports, resolver(settings.mss)),
        facts=CurrentFacts(send_without_qualified_ins=settings.mss.send_without_qualified_ins),
        upkeep=tuple(upkeep.of_features(settings, database, poller, copies)),
    )


def _insi(settings: Settings, database: Database, desk: SignInDesk) -> Circuit:
    insi = settings.identity.insi
    if settings.environment == "production" and "provisional" in (insi.verification, insi.bulk):
        raise NotConfigured("Le contrat de vérification INSi provisoire ne sert qu'aux essais.")
    pool = desk.certificates
    client = InsiClient(
        insi,
        lambda structure, mode: pool.insi(structure, automatic=mode is CallMode.AUTOMATIC),
        settings.trust_store,
    )
    return Circuit(client, database, insi.breaker)


def _attached(settings: Settings) -> tuple[str, ...]:
    """Name the systems this one must tell; none unless it is the identity repository (R-PAM-05)."""
    told = settings.hl7.partners if settings.identity.repository else ()
    return tuple(partner.name for partner in told)


def _patient_changed(diffusion: Diffusion, session: object, patient_id: object) -> None:
    reconsider_held(session, diffusion, patient_id=patient_id)  # type: ignore[arg-type]


def sealer_of(settings: Settings) -> Sealer:
    """Return the site's sealer; a key ring is made where there is none, but not in production.

    Raises `NotConfigured`.
    """
    path = keyring_path(settings)
    if not path.exists():
        if settings.environment == "production":
            raise NotConfigured(
                f"Trousseau de clés introuvable ({path}). RIS_KEYRING doit désigner celui de cette"
                " base ; pour une base neuve : ris keys generate."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another process of this site was quicker
            Keyring.generate(path)
    return Sealer(Keyring.from_file(path))


def describe() -> dict[str, Any]:
    """Return the OpenAPI document, without a database."""
    app = FastAPI(title="Ségur RIS Core", version=ris.__version__, description=_DESCRIPTION)
    _include(app)
    return fhir_openapi.complete(complete(app.openapi(), app.routes))
