"""Building blocks shared by the sections of a level 3 body: section, entry, observation, ids."""

from itertools import count

from ris.core.xml import Element
from ris.orders.values import Code
from ris.reports.cda import codes
from ris.reports.cda.vocabulary import coded, ii, node

_OBSERVATION = ("2.16.840.1.113883.10.20.6.2.13", "1.2.250.1.213.1.1.3.150")


class Identifiers:
    """Fresh OIDs under one document's OID, in order: reproducible, never random."""

    def __init__(self, document: str) -> None:
        self._document = document
        self._numbers = count(1)

    def next(self) -> Element:
        """Return the next `id` element."""
        return ii("id", f"{self._document}.{next(self._numbers)}")


def section(
    templates: tuple[str, ...], code: Code, title: str, ids: Identifiers, *children: Element | None
) -> Element:
    """Return a `section` with its template identifiers, a fresh id, its code and its title."""
    return node(
        "section",
        *(ii("templateId", root) for root in templates),
        ids.next(),
        coded("code", code),
        node("title", title),
        *children,
    )


def loinc_section(
    templates: tuple[str, ...], loinc: str, title: str, ids: Identifiers, *children: Element | None
) -> Element:
    """Return a `section` coded in LOINC and labelled by its title."""
    return section(templates, Code(loinc, codes.LOINC, title), title, ids, *children)


def component(child: Element) -> Element:
    """Wrap *child* in a `component`."""
    return node("component", child)


def entry(child: Element) -> Element:
    """Wrap *child* in an `entry`."""
    return node("entry", child)


def observation(code: Code, ids: Identifiers, *children: Element | None) -> Element:
    """Return an FR-DICOM-Observation without anatomical site (cda.md §4.6)."""
    return node(
        "observation",
        *(ii("templateId", root) for root in _OBSERVATION),
        ids.next(),
        coded("code", code),
        node("statusCode", code="completed"),
        node("targetSiteCode", nullFlavor="NA"),
        *children,
        classCode="OBS",
        moodCode="EVN",
    )
