"""The three renditions of one content, made in one chain: N3, the PDF read from it, N1 around it.

Pure but for the schema files of the kit. Nothing is stored here.
"""

from dataclasses import dataclass

from ris.rem import satisfies
from ris.reports.cda.build import build_n1, build_n3
from ris.reports.cda.read import read
from ris.reports.content import ReportContent
from ris.reports.errors import DocumentInvalid
from ris.reports.pdf.render import render
from ris.reports.settings import ReportSettings
from ris.reports.validation.xsd import schema_findings


@dataclass(frozen=True, slots=True)
class Artefacts:
    """The bytes of one version."""

    n1: bytes
    n3: bytes
    pdf: bytes


@satisfies("RIS.DOC.01", "RIS.DOC.02")
def make(content: ReportContent, settings: ReportSettings) -> Artefacts:
    """Return the artefacts of *content*; same content and settings, same bytes.

    Raises `ContentRefused` (every problem of the content) or, with a kit directory,
    `DocumentInvalid` (schema findings, ruling 22).
    """
    n3 = build_n3(content)
    pdf = render(read(n3), notice=settings.gdpr_notice, traits=settings.paper_traits)
    made = Artefacts(n1=build_n1(content, pdf), n3=n3, pdf=pdf)
    if settings.kit_dir is not None:
        _require_valid(made, settings)
    return made


def _require_valid(made: Artefacts, settings: ReportSettings) -> None:
    assert settings.kit_dir is not None  # noqa: S101 - for the type checker
    for level, document in (("n1", made.n1), ("n3", made.n3)):
        if findings := schema_findings(document, settings.kit_dir):
            raise DocumentInvalid(
                "Le document produit ne respecte pas le schéma CDA officiel.",
                errors=[
                    {"pointer": f"/{level}", "code": "CDA-XSD", "message": finding.message}
                    for finding in findings
                ],
            )
