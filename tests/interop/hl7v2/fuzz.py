"""Mutated HL7 messages through parser, reader and answer: no crash, no hang.

`python -m tests.interop.hl7v2.fuzz 200000 [seed]` runs the long form; the suite runs a slice.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from ris.interop.hl7v2 import acks, adt, parser
from ris.interop.hl7v2.errors import Refused, Unframed
from tests.hang import no_hang
from tests.interop.hl7v2.sample import INS, merge, message

CASE_S = 2  # one message is read in a millisecond: beyond that it hangs
AT = datetime(2024, 6, 1, tzinfo=UTC)
LUNAR = "ZFD|00^00^1950||N|Y|INSI|20240514|CS|20300101"
SEEDS = (
    message(),
    message(ins=INS, status="VALI", zfd=LUNAR, names="A^B^C^^^^L~D^E^^^^^D"),
    message("ADT^A47^ADT_A30", ins='""^^^N&1.2.250.1.213.1.4.8&ISO^INS', more=("MRG|X",)),
    message("ORU^R01^ORU_R01", names="ÉLÈVE\\S\\X^\\XC3A9\\^^^^^L", charset="8859/15"),
    merge(),
)
MARKS = (b"|", b"^", b"~", b"\\", b"&", b"\r", b'""', b"\\X0D\\", b"\x00", b"\xff", b"PID|", b"9")


def mutations(seed: int, count: int) -> Iterator[bytes]:
    """Give *count* messages, each one to five edits away from a good one; same *seed*, same all."""
    chance = random.Random(seed)
    for _ in range(count):
        data = chance.choice(SEEDS)
        for _ in range(chance.randint(1, 5)):
            data = mutated(data, chance)
        yield data


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Give *data* with one edit: a mark put in, a slice cut, overwritten, repeated or shuffled."""
    at = chance.randrange(len(data) + 1)
    head, cut, tail = data[:at], data[at : at + chance.randint(1, 40)], data[at:]
    rest = tail[len(cut) :]
    fields, lines = data.split(b"|"), data.split(b"\r")
    fields[chance.randrange(len(fields))] = chance.choice(MARKS) * chance.randint(0, 9)
    chance.shuffle(lines)
    return chance.choice(
        (
            head + chance.choice(MARKS) + tail,
            head + rest,
            head + chance.randbytes(chance.randint(1, 6)) + rest,
            head + cut * chance.randint(2, 30) + rest,
            head,
            b"\r".join(lines),
            b"|".join(fields),
        )
    )


def outcome(data: bytes) -> str:
    """Say what became of *data*; anything but a refusal by name propagates."""
    try:
        msh = parser.header(data)
    except Unframed:
        return "unframed"
    try:
        parser.control_of(msh)
        adt.read(parser.parse(data), sender="x", received_at=AT)
        code, notices = "AA", []
    except Refused as error:
        code, notices = error.ack, [acks.refusal(error)]
    answer = acks.acknowledge(msh, code, control_id="1", at=AT, notices=notices)
    assert parser.parse(answer).segment("MSA").text(1) == code
    return code


def run(count: int, seed: int) -> Counter[str]:
    """Play *count* mutations and count the outcomes; raises `Hang` on one that never ends."""
    played: Counter[str] = Counter()
    with no_hang(CASE_S) as next_case:
        for data in mutations(seed, count):
            next_case()
            played[outcome(data)] += 1
    return played


if __name__ == "__main__":
    played = run(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    sys.stdout.write(f"{sum(played.values())} messages mutés, aucun plantage : {dict(played)}\n")
