"""Mutated INSi answers through the real reader and the import guards: no crash, no hang.

`python -m tests.identity.fuzz_insi 200000 [seed]` runs the long form; the suite runs a slice, and
one through the API that looks for partial writes. Bytes are mutated as a bad line would, and trees
as a bad server would.
"""

import copy
import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from lxml import etree

from ris.core.errors import RisError
from ris.core.xml import Element, parse
from ris.identity.insi.client import body
from ris.identity.insi.comparison import compare
from ris.identity.insi.errors import InsiFault, InsiIncomplete, InsiUnavailable
from ris.identity.insi.message import answer
from ris.identity.insi.retrieval import imported
from ris.identity.insi.values import InsiAnswer, InsiPerson, Subject, person_of
from ris.identity.insi.verification import verdict
from ris.identity.rules import check_insi_answer, first_given_alert, traits_digest
from ris.identity.values import INS_OIDS, Sex, Traits
from ris.sandbox.insi import RESULTAT, result
from ris.sandbox.insi_people import PEOPLE
from tests.hang import no_hang

CASE_S = 2  # one answer is read in a millisecond: beyond that it hangs
LOCAL = Traits("PAT-TROIS", ("DOMINIQUE",), "DOMINIQUE", date(1979, 3, 28), Sex.FEMALE, "51215")
SUBJECT = Subject(LOCAL)
FAULT = b"""<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code>
<s:Value>s:Receiver</s:Value><s:Subcode><s:Value>s:siram_40</s:Value></s:Subcode></s:Code><s:Reason>
<s:Text xml:lang="fr">Erreur</s:Text></s:Reason><s:Detail><x:Erreur xmlns:x="urn:siram"
code="insi_102"/></s:Detail></s:Fault></s:Body></s:Envelope>"""
SEEDS = (
    *(result("00", PEOPLE[at]) for at in (0, 2, 4, 9)),
    result("00", replace(PEOPLE[0], born="1979-00-00", place="")),
    result("01"), result("02"), FAULT,
)  # fmt: skip
MARKS = (
    b"<", b">", b"&", b"&amp;", b"&#0;", b"&x;", b"]]>", b"<!DOCTYPE a [<!ENTITY x 'y'>]>",
    b"<!--", b"<?x?>", b"\x00", b"\xff", b"\xef\xbb\xbf", b"xmlns:", b"</RESULTAT>", b"9" * 40,
    b"<INSACTIF>", b"<![CDATA[", "É".encode(), "\u0660".encode(), b" ",
)  # fmt: skip
TEXTS = (
    "", " ", "00", "01", "07", "2790351215189", "279035121518", "2790351215X89", "٢٧٩٠٣٥١٢١٥١٨٩",
    "²790351215189", "2A0035121518²", "1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.99", "89", "8",
    "1979-03-28", "1979-02-30", "0000-00-00", "19790328", "1979-W13-3", "F", "M", "I", "X",
    "DOMINIQUE", "D'ARC", "A" * 5000, "\u00a0", "É", "2B", "\n279035121518989\n", "-1",
)  # fmt: skip


def mutations(seed: int, count: int) -> Iterator[bytes]:
    """Give *count* answers, each one to four wrongs away from a good one; same *seed*, same all."""
    chance = random.Random(seed)
    for _ in range(count):
        data = chance.choice(SEEDS)
        if chance.random() < 0.8:
            tree = parse(data)
            for _ in range(chance.randint(1, 4)):
                _grown(tree, chance)
            data = etree.tostring(tree)
        if chance.random() < 0.3:
            for _ in range(chance.randint(1, 4)):
                data = _cut(data, chance)
        yield data


def _cut(data: bytes, chance: random.Random) -> bytes:
    """Give *data* with one edit: a mark put in; a slice cut, overwritten, repeated; no end."""
    at = chance.randrange(len(data) + 1)
    head, cut, rest = data[:at], data[at : at + chance.randint(1, 40)], data[at:]
    tail = rest[len(cut) :]
    edits = (
        head + chance.choice(MARKS) + rest,
        head + tail,
        head + chance.randbytes(chance.randint(1, 4)) + tail,
        head + cut * chance.randint(2, 9) + tail,
        head,
        data.replace(b"00", chance.choice(MARKS), 1),
    )
    return chance.choice(edits)


def _grown(tree: Element, chance: random.Random) -> None:
    """Change one element of *tree*: its text, its name, its place, its number."""
    element = chance.choice(list(tree.iter("*")))
    parent, act = element.getparent(), chance.randrange(7)
    if act <= 2:
        element.text = chance.choice(TEXTS)
    elif act == 3:
        names = ("CodeCR", "TIQ", "INSACTIF", "INSHISTO", "OID", "Cle", "NumIdentifiant", "Prenom")
        element.tag = f"{{{chance.choice((RESULTAT, 'urn:x'))}}}{chance.choice(names)}"
    elif parent is None:
        return
    elif act == 4:
        parent.remove(element)
    elif act == 5:
        parent.append(copy.deepcopy(element))
    else:
        at = chance.choice(list(tree.iter("*")))
        if element not in at.iterancestors() and at is not element:
            at.append(element)


def outcome(data: bytes) -> str:
    """Say what became of *data*; anything but a declared error propagates."""
    try:
        told = answer(body(200, data), "uuid:0")
    except (InsiFault, InsiUnavailable, InsiIncomplete) as error:
        return error.code
    verdict(None, SUBJECT, told)
    if told.person is None:
        return told.code
    assert person_of(told.as_record()) == told.person
    return _imported(told, told.person)


def _imported(told: InsiAnswer, person: InsiPerson) -> str:
    """Show, guard and import: what gets in has a real date, a known sex and a known authority."""
    compare(LOCAL, person.traits)
    first_given_alert(LOCAL, person)
    verdict(person.ins, SUBJECT, told)
    try:
        check_insi_answer(person, (), production=True)
    except RisError as error:
        return error.code
    traits_digest(imported(LOCAL, person))
    assert person.ins.oid in INS_OIDS
    assert len(person.ins.matricule) == 15
    assert person.ins.matricule.isascii()
    return "imported"


def run(count: int, seed: int) -> Counter[str]:
    """Play *count* mutations and count the outcomes; raises `Hang` on one that never ends."""
    played: Counter[str] = Counter()
    with no_hang(CASE_S) as next_case:
        for data in mutations(seed, count):
            next_case()
            played[outcome(data)] += 1
    return played


if __name__ == "__main__":
    told = run(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    sys.stdout.write(f"{sum(told.values())} retours INSi mutés, aucun plantage : {dict(told)}\n")
