"""The official schematrons, transpiled by `schematron.xsl` and run by Saxon (extra `validation`).

Heavy (a Saxon processor and seconds of compilation): worker, command line and tests only. One
processor per kit and per process; Saxon objects are not shared between threads, hence the lock.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import Any, Final

from ris.core.errors import NotConfigured
from ris.core.xml import Element, parse, serialise
from ris.reports.cda import codes
from ris.reports.cda.vocabulary import XPATH
from ris.reports.validation.findings import Finding, Severity, tidy

SVRL: Final = {"svrl": "http://purl.oclc.org/dsdl/svrl"}
_WARNINGS: Final = frozenset({"warning", "warn", "info", "information", "hint"})
_NAMESPACE: Final = re.compile(r"Q\{[^}]*\}")
_LOCK: Final = Lock()


class Profile(StrEnum):
    """Which rule sets apply: level 1, level 3 imaging report."""

    N1 = "n1"
    N3 = "n3"


_SCHEMATRONS: Final = {
    "structmin": Path("schematrons/profils/structurationMinimale/ASIP-STRUCT-MIN-StrucMin.sch"),
    "ihe": Path("schematrons/profils/IHE.sch"),
    "modeles_fr": Path("schematrons/profils/CI-SIS_ModelesDeContenusCDA.sch"),
    "modeles_ans": Path("schematrons/profils/CI-SIS_Modeles_ANS.sch"),
    "img_cr": Path("schematrons/CI-SIS_IMG-CR-IMG_2024.01.sch"),
}
_PROFILES: Final = {
    Profile.N1: ("structmin", "ihe", "modeles_fr", "modeles_ans"),
    Profile.N3: ("structmin", "ihe", "modeles_fr", "modeles_ans", "img_cr"),
}


def schematron_findings(document: bytes, kit: Path, *, source: str = "") -> list[Finding]:
    """Return what the schematrons of *kit* say of *document*, warnings included.

    Raises `NotConfigured` without Saxon or without the schematron files, `UnsafeXml` for XML that
    may not be parsed.
    """
    root = parse(document, document=True)
    with _LOCK:
        kit_rules = _rules(kit.resolve())
        node = kit_rules.processor.parse_xml(xml_text=serialise(root, declaration=False).decode())
        found = [
            finding
            for name in _PROFILES[profile_of(root)]
            for finding in _read(kit_rules.run(name, node), name, source)
        ]
    return tidy(found)


def profile_of(root: Element) -> Profile:
    """Return the profile that *root* claims: level 1 when its body is not XML."""
    unstructured = root.xpath("h:component/h:nonXMLBody", namespaces=XPATH)
    model = root.xpath(f"h:templateId[@root='{codes.MODEL_TEMPLATE}']", namespaces=XPATH)
    return Profile.N1 if unstructured or not model else Profile.N3


def _read(svrl: bytes, pattern: str, source: str) -> Iterator[Finding]:
    report = parse(svrl, document=True)
    for one in report.xpath("//svrl:failed-assert | //svrl:successful-report", namespaces=SVRL):
        warning = (one.get("role") or "").strip("{}").lower() in _WARNINGS
        yield Finding(
            source=source,
            pattern=pattern,
            rule=one.get("pattern") or " ".join((one.get("test") or "").split()),
            location=_NAMESPACE.sub("", one.get("location") or ""),
            message=" ".join("".join(one.itertext()).split()),
            severity=Severity.WARNING if warning else Severity.ERROR,
        )


class _Rules:
    """The compiled schematrons of one kit; each is compiled when first used."""

    def __init__(self, kit: Path) -> None:
        try:
            import saxonche  # noqa: PLC0415 - an optional extra, 130 MB resident
        except ImportError as error:
            raise NotConfigured("Installez l'extra « validation » (saxonche).") from error
        self._kit = kit
        self.processor = saxonche.PySaxonProcessor(license=False)
        self._xslt = self.processor.new_xslt30_processor()
        self._compiled: dict[str, Any] = {}
        transpiler = resources.files("ris.reports.validation").joinpath("schematron.xsl")
        self._transpiler = self._xslt.compile_stylesheet(
            stylesheet_text=transpiler.read_text(encoding="utf-8")
        )

    def run(self, name: str, node: Any) -> bytes:
        """Return the SVRL of schematron *name* on *node*."""
        svrl: str = self._executable(name).transform_to_string(xdm_node=node)
        return svrl.encode()

    def _executable(self, name: str) -> Any:
        if name not in self._compiled:
            schema = self._kit / _SCHEMATRONS[name]
            if not schema.is_file():
                raise NotConfigured(f"Schematron introuvable : {_SCHEMATRONS[name]}.")
            stylesheet = self._transpiler.transform_to_string(source_file=str(schema))
            self._compiled[name] = self._xslt.compile_stylesheet(stylesheet_text=stylesheet)
        return self._compiled[name]


@cache
def _rules(kit: Path) -> _Rules:
    return _Rules(kit)
