"""What must never be seen: a matricule outside its two statuses in the base, or outside qualifiée.

Written from the rule itself (rem.md §9.2), not from the product's gate: the numbers are known
beforehand, the statuses are read by SQL, and an output may show a number only of the record that
holds it, while that record is qualifiée and neither douteuse nor fictive. At rest no table shows a
number at all; what is sealed is opened and judged for what it holds.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import httpx

from ris.interop.hl7v2 import parser
from tests.identity.stateful import opened
from tests.identity.stateful.matrix import symbols_in
from tests.identity.stateful.planted import FORMER, planted_in
from tests.identity.stateful.world import World
from tests.reports.pdf_text import text_of

SHOWS = "select id::text, ipp from patient where status = 'qualifiée' and not (attributes ?| array['douteuse', 'fictive'])"  # noqa: E501
HOLDS_OUTSIDE = (
    "select status, attributes from patient where num_nonnulls(ins_sealed, ins_digest, ins_oid) > 0"
    " and (status not in ('récupérée', 'qualifiée')"
    " or num_nulls(ins_sealed, ins_digest, ins_oid) > 0"
    " or attributes ?| array['douteuse', 'fictive'])"
)
JOURNAL = "/v1/insi-calls/"
JUDGED_APART = {  # sealed columns that may hold a number: by status, always (RIS.INS.41), as signed
    "patient.ins_matricule", "insi_call.answer", "document_version.content", "document_version.n1",
    "document_version.n3", "document_version.pdf",
}  # fmt: skip


class Leak(AssertionError):
    """A number where none may be; the message says where, never a trait."""


class Oracle:
    """Judges every output of a `World`; *seen* counts what was looked at, to show it is a lot."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seen: Counter[str] = Counter()
        self.judged: set[str] = set()

    def start(self) -> None:
        """Forget the former sequence."""
        self.judged.clear()

    def answer(self, response: httpx.Response) -> Any:
        """Judge one HTTP answer, whatever its status; return its JSON."""
        where = f"{response.request.method} {response.request.url.path}"
        assert response.status_code < 500, f"{where}: {response.status_code} {response.text}"
        self._headers(response, where)
        kind = response.headers.get("content-type", "")
        if "json" not in kind:
            self._none(response.text, where)
            return None
        told = response.json()
        self.seen["json"] += 1
        if not (found := planted_in(response.text)):
            return told
        holders = self._holders()
        if JOURNAL in where:  # all that INSi said of him, his former numbers too (RIS.INS.41)
            holders |= {was: holders[now] for was, now in FORMER.items() if now in holders}
        for core in found:
            if core not in holders:
                raise Leak(f"{where}: the INS of a record that may not show it")
            for path in _paths(told, core):
                self._belongs(path, holders[core], where)
        self.seen["json with INS"] += 1
        return told

    def message(self, data: bytes) -> None:
        """Judge one HL7 message sent to a partner."""
        self.seen["hl7"] += 1
        found = planted_in(data.decode("utf-8"))
        if not found:
            return
        pid = parser.parse(data).segment("PID")
        ids = pid.repetitions(3)
        (ipp,) = [cx.text(1) for cx in ids if cx.text(5) == "PI"]
        holders = self._holders()
        for core in found:
            if holders.get(core, {}).get("ipp") != ipp:
                raise Leak("HL7: the INS of a record that may not show it, or of another one")
        codes = {one.text() for one in pid.repetitions(32)}
        if codes & {"DOUT", "FICT", "PROV", "RECUP"} or not codes & {"QUAL", "VALI"}:
            raise Leak(f"HL7: an INS beside PID-32 {sorted(codes)}")
        self.seen["hl7 with INS"] += 1

    def acknowledgement(self, data: bytes) -> None:
        """Judge one HL7 answer: it never shows a number."""
        self._none(data.decode("utf-8", "replace"), "HL7 ACK")

    def after(self) -> None:
        """Judge what any act may have left: the base, the documents signed, the log."""
        bad = self.world.rows(HOLDS_OUTSIDE)
        if bad:
            raise Leak(f"base: a matricule at {[(r['status'], r['attributes']) for r in bad]}")
        for row in self.world.rows("select status, count(*) as n from patient where ins_sealed"
                                   " is not null group by 1"):  # fmt: skip
            self.seen[f"base {row['status']} with INS"] += row["n"]
        self._documents()
        self._none(self.world.logged(), "log")

    def finish(self) -> None:
        """Judge every row of every table, as it rests then opened, at the end of a sequence."""
        for table, _ in self.world.where():
            raise Leak(f"base: a matricule in clear in table {table}")
        for column, held in opened.everything(self.world.database):
            found = planted_in(held)
            self.seen[f"sealed {column}"] += 1
            self.seen[f"sealed {column} with a number"] += bool(found)
            if found and column not in JUDGED_APART:
                raise Leak(f"base: a matricule sealed in {column}")
        self.seen["bases read"] += 1

    def _documents(self) -> None:
        query = ("select v.id::text, r.patient_id::text"
                 " from document_version v join report r on r.id = v.report_id"
                 " where not v.id::text = any(%(known)s)")  # fmt: skip
        for row in self.world.rows(query, known=list(self.judged)):
            self.judged.add(row["id"])
            holders = self._holders().items()
            lawful = {core for core, one in holders if one["id"] == row["patient_id"]}
            version = opened.version(self.world.database, row["id"])
            text, symbols = text_of(version.pdf), symbols_in(version.pdf)
            parts = {
                "PDF text": text, "datamatrix": " ".join(symbols),
                "PDF bytes": version.pdf.decode("latin-1"), "N1": version.n1.decode(),
                "N3": version.n3.decode(), "content": json.dumps(version.content),
            }  # fmt: skip
            for name, content in parts.items():
                shown = planted_in(content)
                if shown - lawful:
                    raise Leak(f"{name}: the INS of a record that may not show it")
                self.seen[name] += 1
                self.seen[f"{name} with INS"] += bool(shown)

    def _holders(self) -> dict[str, dict[str, Any]]:
        """Return the records that may show their INS, by their number."""
        may = {row["id"]: row for row in self.world.rows(f"{SHOWS} and ins_sealed is not null")}
        numbers = opened.matricules(self.world.database).items() if may else ()
        return {number[:13]: may[one] for one, number in numbers if one in may}

    def _belongs(self, path: list[Any], holder: dict[str, Any], where: str) -> None:
        """Fail unless *path* goes through the holder's own object, itself said qualifiée."""
        owners = [one for one in path if holder["id"] in (one.get("id"), one.get("patient_id"))]
        if not owners:
            raise Leak(f"{where}: an INS outside the object of its record")
        status = owners[-1].get("status")
        if status is not None and status != "qualifiée":
            raise Leak(f"{where}: an INS in an object that says {status}")
        if {"douteuse", "fictive"} & set(owners[-1].get("attributes", ())):
            raise Leak(f"{where}: an INS in an object that says it is singular")

    def _headers(self, response: httpx.Response, where: str) -> None:
        self._none(" ".join(response.headers.values()), f"{where} headers")

    def _none(self, text: str, where: str) -> None:
        self.seen[where.split(maxsplit=1)[0]] += 1
        if planted_in(text):
            raise Leak(f"{where}: a matricule")


def _paths(value: Any, core: str, above: Iterable[Any] = ()) -> Iterator[list[Any]]:
    """Give, for each string that shows *core*, the objects it stands in, outermost first."""
    if isinstance(value, dict):
        for name, one in value.items():
            if core in planted_in(str(name)):
                yield [*above, value]
            yield from _paths(one, core, [*above, value])
    elif isinstance(value, list):
        for one in value:
            yield from _paths(one, core, above)
    elif core in planted_in(json.dumps(value)):
        yield list(above)
