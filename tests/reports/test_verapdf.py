"""veraPDF judges our PDFs, and the broken files our own check names: the verdicts must agree."""

from functools import partial
from pathlib import Path

import pytest
from pikepdf import Pdf

from tests.peers import verapdf
from tests.reports.test_pdfa import BROKEN, Break, draw, good, saved

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]
__all__ = ["good"]

# veraPDF looks at what a page paints; a broken resource counts once it is painted
_PAINTED = {"/XObject": b"/broken Do", "/ExtGState": b"/broken gs",
            "/Font": b"BT /broken 1 Tf (x) Tj ET"}  # fmt: skip
# where we ask for more than veraPDF: an OutputIntent even when every colour has its own profile
STRICTER = {"6.2.2.1"}


def broken_and_painted(pdf: Pdf, breaks: Break) -> None:
    breaks(pdf)
    for kind, operator in _PAINTED.items():
        if "/broken" in pdf.pages[0].Resources.get(kind, {}):
            draw(pdf, operator)


def test_the_reference_validator_agrees_with_our_check(good: bytes, tmp_path: Path) -> None:
    if reason := verapdf.missing():
        pytest.skip(reason)
    (tmp_path / "good.pdf").write_bytes(good)
    (tmp_path / "good-again.pdf").write_bytes(saved(good))
    for at, (clause, breaks) in enumerate(BROKEN):
        made = saved(good, partial(broken_and_painted, breaks=breaks))
        (tmp_path / f"{at:02}-{clause}.pdf").write_bytes(made)
    told = verapdf.clauses(sorted(tmp_path.glob("*.pdf")))
    assert told.pop("good.pdf") | told.pop("good-again.pdf") == frozenset()
    assert len(told) == len(BROKEN)
    unseen = {
        name for name, found in told.items()
        if not any(name[3:-4] == one or name[3:-4].startswith(f"{one}.") for one in found)
    }  # fmt: skip
    assert {name[3:-4] for name in unseen} == STRICTER
