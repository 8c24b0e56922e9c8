"""Narrative blocks: what a person reads in a section (StrucDoc, cda.md §4.10).

Text goes in as plain lines and comes back as the same lines; nothing coded here.
"""

from ris.core.xml import Element
from ris.reports.cda.vocabulary import XPATH, node, plain


def text_block(text: str, identifier: str | None = None) -> Element:
    """Return one paragraph that holds *text*, line by line; *identifier* makes it citable."""
    first, *others = plain(text).split("\n")
    content = node("content", first, ID=identifier)
    for line in others:
        line_break = node("br")
        line_break.tail = line
        content.append(line_break)
    return node("paragraph", content)


def labelled(label: str, value: str, identifier: str) -> Element:
    """Return the paragraph « *label* : *value* » whose value is citable as *identifier*."""
    paragraph = node("paragraph", f"{label} : ")
    paragraph.append(node("content", value, ID=identifier))
    return paragraph


def reference(identifier: str) -> Element:
    """Return the reference to a narrative identifier."""
    return node("reference", value=f"#{identifier}")


def original_text(identifier: str) -> Element:
    """Return `originalText` pointing to the narrative."""
    return node("originalText", reference(identifier))


def lines_of(text: Element) -> tuple[str, ...]:
    """Return the paragraphs of a section's `text`, each with its line breaks as LF."""
    return tuple(_plain(paragraph) for paragraph in text.xpath("h:paragraph", namespaces=XPATH))


def _plain(element: Element) -> str:
    text = element.text or ""
    for child in element:
        text += "\n" if child.tag == f"{{{XPATH['h']}}}br" else _plain(child)
        text += child.tail or ""
    return text
