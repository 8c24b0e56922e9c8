"""The matrix of rights: separation of powers, habilitation, limits by profession."""

import pytest

from ris.auth.rights import (
    LABELS,
    MATRIX,
    Permission,
    Role,
    allowed,
    permissions_of,
    profession_allows,
)

HEALTH = {one for one in Permission if one.split(".")[0] in {"patient", "ins", "insi", "identity",
          "exam", "report", "mss", "delivery", "dmp", "dashboard"}}  # fmt: skip


@pytest.mark.parametrize("role", [Role.ADMIN_SECURITY, Role.ADMIN_TECH, Role.AUDITOR])
def test_administrators_have_no_access_to_health_data(role: Role) -> None:
    assert not MATRIX[role] & HEALTH


@pytest.mark.parametrize("permission", [Permission.REPORT_SIGN, Permission.REPORT_AMEND])
def test_only_physicians_sign(permission: Permission) -> None:
    signers = {role for role in Role if allowed(role, permission)}
    assert signers == {Role.RADIOLOGIST, Role.NUCLEAR_PHYSICIAN}


@pytest.mark.rem("LOC-AUTH-02")
def test_only_the_identity_cell_changes_strict_traits_of_a_qualified_identity() -> None:
    for permission in (Permission.IDENTITY_SUPERUSER, Permission.IDENTITY_COPY_READ):
        assert {role for role in Role if allowed(role, permission)} == {Role.IDENTITY_OFFICER}


def test_everybody_reads_the_requirements_and_his_own_session() -> None:
    for role in Role:
        assert allowed(role, Permission.REM_READ)
        assert allowed(role, Permission.SESSION_OWN)


def test_validating_identities_needs_a_personal_habilitation_at_the_front_desk() -> None:
    assert Permission.IDENTITY_VALIDATE not in permissions_of(Role.SECRETARY)
    assert Permission.IDENTITY_VALIDATE in permissions_of(Role.SECRETARY, identity_habilitated=True)
    assert Permission.IDENTITY_VALIDATE not in permissions_of(
        Role.AUDITOR, identity_habilitated=True
    )


def test_a_site_takes_rights_away_one_by_one_and_never_adds_one() -> None:
    withheld = {
        Role.SECRETARY: frozenset({Permission.INS_READ, Permission.AUDIT_READ}),
        Role.TECHNOLOGIST: frozenset({Permission.INSI_CALL}),
    }
    clerk = permissions_of(Role.SECRETARY, identity_habilitated=True, withheld=withheld)
    whole = permissions_of(Role.SECRETARY, identity_habilitated=True)
    assert whole - clerk == {Permission.INS_READ}
    assert clerk < whole
    reader = permissions_of(Role.TECHNOLOGIST, withheld=withheld)
    assert Permission.INS_READ in reader
    assert Permission.INSI_CALL not in reader
    assert permissions_of(Role.RADIOLOGIST, withheld=withheld) == permissions_of(Role.RADIOLOGIST)


@pytest.mark.parametrize(
    ("role", "held", "expected"),
    [
        (Role.RADIOLOGIST, [("10", "C")], True),
        (Role.RADIOLOGIST, [("10", "")], True),
        (Role.RADIOLOGIST, [("10", "E")], False),
        (Role.RADIOLOGIST, [("98", "C")], False),
        (Role.RADIOLOGIST, [], False),
        (Role.SECRETARY, [], True),
    ],
)
def test_a_profession_limits_and_never_gives(
    role: Role, held: list[tuple[str, str]], expected: bool
) -> None:
    assert profession_allows(role, held) is expected


def test_every_permission_has_a_french_name() -> None:
    assert set(LABELS) == set(Permission)
