"""A report ready to be signed, and a `Diffusion` wired on the strict remote. No fixture here."""

from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from ris.auth.model import Account, Situation
from ris.auth.rights import Role
from ris.auth.values import Authentication, Professional
from ris.core import clock, ids
from ris.core.audit import Actor
from ris.core.db import Database
from ris.diffusion.decision import Facts
from ris.diffusion.errors import NotYet
from ris.diffusion.jobs import attempt
from ris.diffusion.model import Delivery
from ris.diffusion.settings import ChannelPolicy, DiffusionSettings
from ris.diffusion.signing import sign
from ris.diffusion.wiring import Diffusion, Upkeep
from ris.identity.model import Patient
from ris.identity.values import Status
from ris.orders.model import ExamRecord, ImagingOrder
from ris.reports import content_codec, freeze
from ris.reports.channels import ChannelName, SignedDocument
from ris.reports.content import DocumentIds
from ris.reports.model import DocumentVersion, Report
from tests.diffusion.remote import Remote, RemoteChannel
from tests.reports import sample

FAST = ChannelPolicy(delays_s=(0.05, 0.1), then_s=0.2, give_up_s=3600, probe_s=0)
SETTINGS = DiffusionSettings(
    heartbeat_s=0.5,
    stalled_s=2,
    polling_s=0.2,
    rescue_s=1,
    requeue_s=1,
    running_limit_s=30,
    own_failure_s=1,
    recheck_s=0,
    breaker_open_s=1,
    breaker_max_s=2,
    pace_s=0,
    dmp=FAST,
    mss=FAST,
)


class Documents:
    """Freezes versions of a few bytes: what they hold is no affair of the deliveries."""

    def freeze(
        self,
        session: Session,
        report_id: UUID,
        signer: Professional,
        *,
        signed_by: UUID,
        authentication: Authentication | None,
        at: datetime,
        read_version: int | None = None,
    ) -> SignedDocument:
        report = session.get_one(Report, report_id, with_for_update=True)
        report.current_version += 1
        report.status = "VALIDATED"
        number = report.current_version
        content = replace(
            sample.content(),
            patient=replace(sample.PATIENT, id=report.patient_id),
            n1=DocumentIds(ids.new_oid(), report.n1_set_id, number),
            n3=DocumentIds(ids.new_oid(), report.n3_set_id, number),
        )
        version = DocumentVersion(
            id=ids.new(),
            report_id=report_id,
            number=number,
            kind=content.kind,
            content=content_codec.to_json(content),
            n1=b"n1",
            n3=b"n3",
            pdf=b"pdf",
            n1_sha256=sha256(b"n1").digest(),
            n3_sha256=sha256(b"n3").digest(),
            pdf_sha256=sha256(b"pdf").digest(),
            n1_unique_id=content.n1.unique_id,
            n3_unique_id=content.n3.unique_id,
            signed_by=signed_by,
            signed_at=at,
            created_at=at,
        )
        session.add(version)
        session.flush()
        return freeze.signed_document(session, version.id)

    def renew(self, session: Session, report_id: UUID) -> SignedDocument:
        report = session.get_one(Report, report_id)
        signer, account = sample.RADIOLOGIST, report.author_account_id
        return self.freeze(
            session, report_id, signer, signed_by=account, authentication=None, at=clock.now()
        )

    def load(self, session: Session, document_id: UUID) -> SignedDocument:
        return freeze.signed_document(session, document_id)

    def current(self, session: Session, report_id: UUID) -> SignedDocument:
        latest = select(DocumentVersion.id).where(DocumentVersion.report_id == report_id)
        found = session.scalars(latest.order_by(DocumentVersion.number.desc())).first()
        assert found is not None
        return freeze.signed_document(session, found)

    def correspondent(self, session: Session, document: SignedDocument, rpps: str) -> Professional:
        people = (document.content.requester, *document.content.recipients)
        return next(person for person in people if person.rpps == rpps)


@dataclass
class Bench:
    """Everything a test of deliveries touches. *facts* may be changed between two steps."""

    database: Database
    folder: Path
    settings: DiffusionSettings = SETTINGS
    names: tuple[ChannelName, ...] = (ChannelName.DMP,)
    facts: Facts = field(default_factory=Facts)
    diffusion: Diffusion = field(init=False)
    remotes: dict[ChannelName, Remote] = field(init=False)
    actor: Actor = field(init=False)

    def __post_init__(self) -> None:
        self.remotes = {name: Remote(self.folder / name) for name in self.names}
        self.wire()
        self.actor = Actor()

    def wire(self, *upkeep: Upkeep) -> None:
        self.diffusion = Diffusion(
            self.database,
            {name: RemoteChannel(remote) for name, remote in self.remotes.items()},
            self.settings,
            Documents(),
            lambda _session, _document: self.facts,
            upkeep,
        )

    @property
    def remote(self) -> Remote:
        return self.remotes[self.names[0]]

    def account(self) -> None:
        with self.database.transaction() as session:
            account = Account(
                ps_idnat=sample.RADIOLOGIST.ps_idnat,
                rpps=sample.RADIOLOGIST.rpps,
                role=Role.RADIOLOGIST,
            )
            session.add(account)
            session.flush()
            situation = situation_of(account, sample.RADIOLOGIST)
            session.add(situation)
            session.flush()
            self.actor = Actor(account_id=account.id, situation_id=situation.id)

    def report(self) -> UUID:
        """Return a draft, with the patient, the order and the exam it needs."""
        if self.actor.account_id is None:
            self.account()
        with self.database.transaction() as session:
            report = draft(session, self.actor)
            return report.id

    def sign(self, report_id: UUID) -> SignedDocument:
        with self.database.transaction() as session:
            return sign(session, self.diffusion, report_id, sample.RADIOLOGIST, self.actor)

    def deliveries(self) -> list[Delivery]:
        with self.database.transaction() as session:
            ordered = session.query(Delivery).order_by(Delivery.created_at, Delivery.id)
            return ordered.all()

    def attempt(self, delivery_id: UUID) -> None:
        """Run one attempt here and now, as the worker would."""
        try:
            attempt(self.diffusion, delivery_id)
        except NotYet:
            return

    def sql(self, statement: str, **values: object) -> list[tuple[object, ...]]:
        with self.database.transaction() as session:
            result = session.execute(text(statement), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def due_now(self) -> None:
        self.sql("update delivery set due_at = now() where state in ('pending', 'unknown')")
        self.sql("update procrastinate_jobs set scheduled_at = null where status = 'todo'")

    def later(self, minutes: float) -> None:
        """Let time pass: every stored instant of the deliveries moves back."""
        gap = f"interval '{minutes} minutes'"
        self.sql(
            f"update delivery set due_at = due_at - {gap}, expires_at = expires_at - {gap},"
            f" created_at = created_at - {gap}, held_since = held_since - {gap}"
        )
        self.sql(
            f"update endpoint_health set opened_at = opened_at - {gap},"
            f" open_until = open_until - {gap}"
        )
        self.sql(f"update procrastinate_jobs set scheduled_at = scheduled_at - {gap}")


def situation_of(account: Account, professional: Professional) -> Situation:
    """The situation that PSC would tell for *professional*."""
    place = professional.structure
    assert place is not None
    return Situation(
        account_id=account.id, profession=professional.profession, category="C", mode="L",
        specialty=professional.specialty, title=professional.title, family=professional.family,
        given=professional.given, struct_idnat=place.struct_idnat, struct_valid=True,
        place=place.struct_idnat, technical_id="", name=place.name, sector=place.sector,
        address=asdict(place.address), phone=place.phone,
    )  # fmt: skip


def draft(session: Session, actor: Actor) -> Report:
    traits = sample.PATIENT.traits
    patient = Patient(ipp=str(ids.new())[:32], ipp_oid=sample.PATIENT.ipp_oid)
    patient.traits = traits
    patient.status = Status.QUALIFIEE
    session.add(patient)
    session.flush()
    order = ImagingOrder(
        patient_id=patient.id,
        order_number=str(ids.new()),
        order_oid="2.25.3",
        issued_locally=True,
        requester={},
        recipients=[],
        reason="",
    )
    session.add(order)
    session.flush()
    exam = ExamRecord(
        order_id=order.id,
        patient_id=patient.id,
        accession_number=str(ids.new()),
        accession_oid="2.25.2",
        study_uid=ids.new_oid(),
        procedure={},
        scheduled_at=clock.now(),
    )
    session.add(exam)
    session.flush()
    now = clock.now()
    report = Report(
        patient_id=patient.id,
        exam_id=exam.id,
        author_account_id=actor.account_id,
        title="Scanner",
        created_at=now,
        updated_at=now,
    )
    session.add(report)
    session.flush()
    return report
