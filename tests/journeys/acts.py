"""What staff do beside the story: refusals, oppositions, corrections, announcements; one act each.

Nothing is checked here but the answer's status.
"""

from datetime import timedelta
from typing import Any

from ris.core import clock
from ris.demo.story import Story


def refuse(story: Story, *, professional: bool = False, patient: bool = False) -> None:
    """The patient says which MSSanté messages he refuses from now on."""
    path = f"/v1/patients/{story.facts.patient['id']}/mss-refusals"
    refused = {"professional": professional, "patient": patient}
    version = story.secretary.get(path)["version"]
    story.secretary.request("PUT", path, json=refused, headers={"If-Match": f'"{version}"'})


def oppose(story: Story) -> None:
    """The patient opposes DMP feeding."""
    path = f"/v1/patients/{story.facts.patient['id']}/dmp-opposition"
    story.radiologist.post(path, {"scope": "patient", "reason": "Opposition dite à l'accueil"})


def doubt(story: Story) -> None:
    """Someone doubts the identity."""
    path = f"/v1/patients/{story.facts.patient['id']}"
    version = story.secretary.get(path)["version"]
    story.secretary.request(
        "PUT", f"{path}/attributes/douteuse",
        json={"reason": "Homonyme"}, headers={"If-Match": f'"{version}"'},
    )  # fmt: skip


def draft(story: Story) -> None:
    """The radiologist opens a report and does not sign it."""
    story.facts.report = story.radiologist.post(
        "/v1/reports",
        {
            "exam_id": story.facts.exam["id"],
            "title": "Scanner cérébral",
            "sections": {"results": "Lésion à annoncer.", "conclusion": "À annoncer."},
        },
    )


def delegate(story: Story, *actions: str) -> None:
    """The radiologist lets the secretary do *actions* in his name, for a day."""
    practice = story.radiologist.person.workplaces[0].struct_idnat
    clerk = story.secretary.get("/v1/session")["account_id"]
    until = (clock.now() + timedelta(days=1)).isoformat()
    story.radiologist.post(
        "/v1/delegations",
        {
            "delegate_id": clerk,
            "struct_idnat": practice,
            "actions": actions,
            "valid_to": until,
        },
    )


def act(story: Story, method: str, path: str = "", *, status: int = 200, **options: Any) -> Any:
    """The radiologist acts on the report as it is now; return the answer."""
    base = f"/v1/reports/{story.facts.report['id']}"
    version = story.radiologist.get(base)["version"]
    headers = {"If-Match": f'"{version}"'}
    return story.radiologist.request(
        method, f"{base}{path}", status=status, headers=headers, **options
    )


def correct(story: Story, conclusion: str) -> None:
    """The radiologist corrects the conclusion and signs version N+1."""
    act(story, "POST", "/versions", status=201, json={"kind": "CORRECTION"})
    act(story, "PATCH", json={"sections": {"conclusion": conclusion}})
    act(story, "POST", "/signature", status=201)
