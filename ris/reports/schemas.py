"""What the report routes accept and answer. No rule beyond shape."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from ris.reports import service
from ris.reports.content import VersionKind, Visibility
from ris.reports.lifecycle import LABELS, State
from ris.reports.model import DocumentVersion, Report

Title = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=200_000)]
Amendment = Literal[VersionKind.CORRECTION, VersionKind.ADDENDUM]


class Body(BaseModel):
    """A request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class SectionsIn(Body):
    """The dictated texts that a request gives; the others stay as they are."""

    indication: Text | None = None
    history: Text | None = None
    technique: Text | None = None
    results: Text | None = None
    comparison: Text | None = None
    conclusion: Text | None = None
    addendum: Text | None = None

    def given(self) -> dict[str, str]:
        """Return the texts that are present, by name."""
        return self.model_dump(exclude_none=True)


class DraftIn(Body):
    """A new report of an exam."""

    exam_id: UUID
    title: Title
    sections: SectionsIn = SectionsIn()


class ChangesIn(Body):
    """Changes of an unsigned report; absent fields stay as they are."""

    title: Title | None = None
    sections: SectionsIn | None = None
    visibility: list[Visibility] | None = None
    to_validate: StrictBool | None = None

    def changes(self) -> service.Changes:
        """Return the changes as values."""
        return service.Changes(
            title=self.title,
            sections=self.sections.given() if self.sections else None,
            visibility=frozenset(self.visibility) if self.visibility is not None else None,
            to_validate=self.to_validate,
        )


class AnnouncementIn(Body):
    """Whether the result must first be announced to the patient."""

    needed: StrictBool


class AmendIn(Body):
    """Why a new version is opened."""

    kind: Amendment


class VersionOut(BaseModel):
    """A signed version; hashes are SHA-256 in hexadecimal."""

    number: int
    kind: VersionKind
    status: State
    signed_at: datetime
    n1_unique_id: str
    n3_unique_id: str
    n1_sha256: str
    n3_sha256: str
    pdf_sha256: str

    @classmethod
    def of(cls, version: DocumentVersion) -> Self:
        """Return the view of one version."""
        return cls(
            number=version.number,
            kind=VersionKind(version.kind),
            status=State(version.status),
            signed_at=version.signed_at,
            n1_unique_id=version.n1_unique_id,
            n3_unique_id=version.n3_unique_id,
            n1_sha256=version.n1_sha256.hex(),
            n3_sha256=version.n3_sha256.hex(),
            pdf_sha256=version.pdf_sha256.hex(),
        )


class ReportOut(BaseModel):
    """A report and its signed versions, oldest first."""

    id: UUID
    patient_id: UUID
    exam_id: UUID
    status: State
    status_label: str
    draft_kind: VersionKind
    to_validate: bool
    situation_id: UUID | None = Field(
        description="Situation d'exercice de son radiologue : il partira sous cette structure."
    )
    title: str
    sections: dict[str, str]
    visibility: list[Visibility]
    current_version: int
    announcement_needed: bool
    announcement_done_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int
    versions: list[VersionOut] = []

    @classmethod
    def of(cls, report: Report, versions: list[DocumentVersion]) -> Self:
        """Return the view of one report."""
        names = set(cls.model_fields) - {"status_label", "versions"}
        return cls(
            **{name: getattr(report, name) for name in names},
            status_label=LABELS[State(report.status)],
            versions=[VersionOut.of(version) for version in versions],
        )


class ReviewItem(BaseModel):
    """One report of the review that is not validated yet; *overdue* beyond the site's delay."""

    id: UUID
    patient_id: UUID
    exam_id: UUID
    status: State
    status_label: str
    title: str
    to_validate: bool
    created_at: datetime
    overdue: bool

    @classmethod
    def of(cls, report: Report, *, overdue: bool) -> Self:
        """Return the line of one report."""
        names = set(cls.model_fields) - {"status_label", "overdue"}
        return cls(
            **{name: getattr(report, name) for name in names},
            status_label=LABELS[State(report.status)],
            overdue=overdue,
        )
