"""Who runs or reviews the system sees no patient: every door they may open, searched (auth.md §9).

The practice has lived: qualified identities, reports sent, copies, messages from elsewhere.
"""

import httpx
import pytest

from ris.auth.rights import Role
from ris.interop.hl7v2.model import Hl7State
from tests.architecture import matrix
from tests.security.lived import EXAM, MATRICULES, REPORT, TRAITS, Lived, identifiers

APART = (Role.ADMIN_SECURITY, Role.ADMIN_TECH, Role.AUDITOR, Role.REFERRER)
FIXED = {"number": ["1"], "artefact": ["n1", "n3", "pdf"]}
MARKS = TRAITS | MATRICULES | REPORT | EXAM
QUOTING = "/v1/rem"  # the requirements quote the invented patients of the test day


def read(lived: Lived, role: Role) -> dict[str, httpx.Response]:
    """Every reading that *role* may do, of each row that an address may name."""
    rows = identifiers(lived.product.runtime.database) | FIXED
    client, rights = lived.client(role), matrix.rights_of(role)
    answers = {}
    for (method, path), right in matrix.doors().items():
        if method == "GET" and right in rights and not path.startswith(QUOTING):
            for place in places(path, rows):
                answers[place] = client.get(place, params={"limit": 200})
    for state in Hl7State if "hl7.control" in rights else ():
        place = f"/v1/interop/hl7v2/messages?state={state}"
        answers[place] = client.get(place)
    return answers


def places(path: str, rows: dict[str, list[str]]) -> list[str]:
    """Return *path* for each row that its parameter may name."""
    if "{" not in path:
        return [path]
    name = path.partition("{")[2].partition("}")[0]
    return [one for row in rows[name] for one in places(path.replace(f"{{{name}}}", row), rows)]


def shown(answers: dict[str, httpx.Response]) -> set[tuple[str, str]]:
    """Return (address, mark) for every mark of a patient that an answer holds."""
    return {
        (place, mark)
        for place, answer in answers.items()
        for mark in MARKS
        if mark in answer.content.decode(errors="replace")
    }


@pytest.mark.parametrize("role", APART)
def test_no_health_data_comes_out_of_what_administrators_and_auditors_may_read(
    lived: Lived, role: Role
) -> None:
    answers = read(lived, role)
    assert shown(answers) == set()
    assert sum(answer.status_code == 200 for answer in answers.values()) >= 2
    assert {answer.status_code for answer in answers.values()} <= {200, 404, 422}


def test_the_same_search_finds_the_patient_where_he_may_be_seen(lived: Lived) -> None:
    """The proof that the search is one: a secretary's readings hold each kind of mark."""
    found = {mark for _, mark in shown(read(lived, Role.SECRETARY))}
    for kind in (TRAITS, MATRICULES, REPORT):
        assert found & kind
