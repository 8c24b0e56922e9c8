"""The structured body of a level 3 report: its top-level sections (IMG-CR-IMG, cda.md §4.2-4.3).

The section of one act is in `act_section`. Section identifiers hang under the document's own OID,
so two builds of one content give the same bytes.
"""

from typing import Final

from ris.core.xml import Element
from ris.orders.values import Code
from ris.reports.cda import codes
from ris.reports.cda.act_section import act_section
from ris.reports.cda.narrative import original_text, reference, text_block
from ris.reports.cda.parts import Identifiers, component, entry, loinc_section, observation
from ris.reports.cda.vocabulary import node, person_name, typed, when
from ris.reports.content import ReportContent

_SECTION: Final = "1.2.250.1.213.1.1.2."
ADDENDUM: Final = ("1.2.840.10008.9.6", _SECTION + "210")
CLINICAL: Final = ("1.2.840.10008.9.2", _SECTION + "205")
REQUEST: Final = ("1.2.840.10008.9.7", _SECTION + "211")
HISTORY: Final = ("2.16.840.1.113883.10.20.22.2.39", _SECTION + "213")
RESULTS: Final = ("2.16.840.1.113883.10.20.6.1.2", _SECTION + "208")
COMPARISON: Final = ("1.2.840.10008.9.4", _SECTION + "207")
CONCLUSION: Final = ("1.2.840.10008.9.5", _SECTION + "209")
NOT_STATED: Final = "Non renseigné"


def structured_body(content: ReportContent) -> Element:
    """Return the `component` holding every section of *content*, in the order of the model."""
    ids = Identifiers(content.n3.unique_id)
    said = content.sections
    sections = [
        _addendum(content, ids),
        _clinical(content, ids),
        *(act_section(content, number, ids) for number in range(len(content.exams))),
        _free_text(RESULTS, Code("59776-5", codes.LOINC, "Résultats"), said.results, ids),
        _free_text(COMPARISON, Code("18834-2", codes.LOINC, "Comparaison"), said.comparison, ids),
        _free_text(
            CONCLUSION,
            Code(codes.CONCLUSION_SECTION, codes.LOINC, "Conclusion"),
            said.conclusion,
            ids,
        ),
    ]
    present = [component(section) for section in sections if section is not None]
    return node("component", node("structuredBody", *present))


def _free_text(
    templates: tuple[str, ...], code: Code, text: str, ids: Identifiers
) -> Element | None:
    if not text.strip():
        return None
    narrative = node("text", text_block(text))
    return loinc_section(templates, code.code, code.label, ids, narrative)


def _addendum(content: ReportContent, ids: Identifiers) -> Element | None:
    if not content.sections.addendum.strip():
        return None
    author = content.author
    name = person_name(author.family, author.given, author.title)
    writer = node("assignedAuthor", _author_id(content), node("assignedPerson", name))
    return loinc_section(
        ADDENDUM,
        "55107-7",
        "Addendum",
        ids,
        node("text", text_block(content.sections.addendum)),
        node("author", when("time", content.signed_at), writer),
    )


def _author_id(content: ReportContent) -> Element:
    return node("id", root=codes.PS_ID, extension=content.author.ps_idnat)


def _clinical(content: ReportContent, ids: Identifiers) -> Element | None:
    said = content.sections
    if not (said.indication.strip() or said.history.strip()):
        return None
    request = loinc_section(
        REQUEST,
        "55115-0",
        "Indication",
        ids,
        node("text", text_block(said.indication.strip() or NOT_STATED)),
    )
    return loinc_section(
        CLINICAL,
        "55752-0",
        "Informations cliniques",
        ids,
        node("text"),
        component(request),
        component(_history(said.history.strip(), ids)),
    )


def _history(history: str, ids: Identifiers) -> Element:
    medical = text_block(history or NOT_STATED, "antecedents")
    return loinc_section(
        HISTORY,
        "11329-0",
        "Antécédents",
        ids,
        node("text", medical),
        *(
            entry(_history_observation(code, ids))
            for code in (
                codes.MEDICAL_HISTORY,
                codes.SURGICAL_HISTORY,
                codes.CONTRAINDICATIONS,
            )
        ),
    )


def _history_observation(code: Code, ids: Identifiers) -> Element:
    # The room dictates one free text; nothing more precise may be claimed about each heading.
    if code is codes.CONTRAINDICATIONS:
        return observation(code, ids, typed("value", "ST", NOT_STATED))
    return observation(
        code,
        ids,
        node("text", reference("antecedents")),
        typed("value", "CD", original_text("antecedents")),
    )
