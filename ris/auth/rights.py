"""Who may do what: permissions, roles and their matrix, as data (auth.md §9.2, ruling 15).

Pure. Rules on the object itself (own structure, delegation, own draft) stay with the feature that
owns the object; nothing here reads a session or a database.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from ris.rem import satisfies


class Permission(StrEnum):
    """One right; every route declares exactly one."""

    SESSION_OWN = "session.own"
    REM_READ = "rem.read"
    PATIENT_READ = "patient.read"
    PATIENT_WRITE = "patient.write"
    INS_READ = "ins.read"
    INSI_CALL = "insi.call"
    IDENTITY_VALIDATE = "identity.validate"
    IDENTITY_SUPERUSER = "identity.superuser"
    IDENTITY_COPY_STORE = "identity.copy.store"
    IDENTITY_COPY_READ = "identity.copy.read"
    EXAM_READ = "exam.read"
    EXAM_WRITE = "exam.write"
    REPORT_READ = "report.read"
    REPORT_DRAFT = "report.draft"
    REPORT_SIGN = "report.sign"
    REPORT_AMEND = "report.amend"
    BREAK_GLASS = "break_glass"
    BREAK_GLASS_REVIEW = "break_glass.review"
    MSS_SEND = "mss.send"
    DELIVERY_READ = "delivery.read"
    DELIVERY_RETRY = "delivery.retry"
    DELEGATION_GRANT = "delegation.grant"
    DMP_CONTROL = "dmp.control"
    HL7_CONTROL = "hl7.control"
    DASHBOARD_READ = "dashboard.read"
    DIRECTORY_READ = "directory.read"
    ACCOUNT_READ = "account.read"
    ACCOUNT_ADMIN = "account.admin"
    CONFIG_ADMIN = "config.admin"
    AUDIT_READ = "audit.read"
    AUDIT_EXPORT = "audit.export"


LABELS: Final = {
    Permission.SESSION_OWN: "ouvrir une session",
    Permission.REM_READ: "consulter les exigences",
    Permission.PATIENT_READ: "consulter les patients",
    Permission.PATIENT_WRITE: "modifier les patients",
    Permission.INS_READ: "voir l'INS",
    Permission.INSI_CALL: "appeler INSi",
    Permission.IDENTITY_VALIDATE: "valider une identité",
    Permission.IDENTITY_SUPERUSER: "corriger une identité verrouillée",
    Permission.IDENTITY_COPY_STORE: "conserver une copie de titre d'identité",
    Permission.IDENTITY_COPY_READ: "voir une copie de titre d'identité",
    Permission.EXAM_READ: "consulter les examens",
    Permission.EXAM_WRITE: "gérer les examens",
    Permission.REPORT_READ: "consulter les comptes rendus",
    Permission.REPORT_DRAFT: "rédiger un compte rendu",
    Permission.REPORT_SIGN: "signer un compte rendu",
    Permission.REPORT_AMEND: "corriger un compte rendu signé",
    Permission.BREAK_GLASS: "accéder en urgence (bris de glace)",
    Permission.BREAK_GLASS_REVIEW: "contrôler les bris de glace",
    Permission.MSS_SEND: "envoyer par MSSanté",
    Permission.DELIVERY_READ: "consulter les envois",
    Permission.DELIVERY_RETRY: "relancer un envoi",
    Permission.DELEGATION_GRANT: "déléguer ses envois",
    Permission.DMP_CONTROL: "gérer l'alimentation du DMP",
    Permission.HL7_CONTROL: "suivre et rejouer les messages HL7 reçus",
    Permission.DASHBOARD_READ: "consulter le tableau de bord",
    Permission.DIRECTORY_READ: "consulter l'annuaire",
    Permission.ACCOUNT_READ: "consulter les comptes",
    Permission.ACCOUNT_ADMIN: "administrer les comptes",
    Permission.CONFIG_ADMIN: "administrer la configuration",
    Permission.AUDIT_READ: "consulter les traces",
    Permission.AUDIT_EXPORT: "exporter les traces",
}


class Role(StrEnum):
    """What an account is here. An account holds one role at a time."""

    RADIOLOGIST = "RADIOLOGIST"
    NUCLEAR_PHYSICIAN = "NUCLEAR_PHYSICIAN"
    TECHNOLOGIST = "TECHNOLOGIST"
    SECRETARY = "SECRETARY"
    INTERN = "INTERN"
    REFERRER = "REFERRER"
    IDENTITY_OFFICER = "IDENTITY_OFFICER"
    ADMIN_SECURITY = "ADMIN_SECURITY"
    ADMIN_TECH = "ADMIN_TECH"
    AUDITOR = "AUDITOR"
    INTEGRATOR = "INTEGRATOR"


_P = Permission
_EVERYONE: Final = frozenset({_P.SESSION_OWN, _P.REM_READ})
_FRONT_DESK: Final = frozenset(
    {
        _P.PATIENT_READ,
        _P.PATIENT_WRITE,
        _P.INS_READ,
        _P.INSI_CALL,
        _P.IDENTITY_COPY_STORE,
        _P.EXAM_READ,
        _P.EXAM_WRITE,
        _P.REPORT_READ,
        _P.DIRECTORY_READ,
        _P.DASHBOARD_READ,
    }
)
_SENDING: Final = frozenset({_P.MSS_SEND, _P.DELIVERY_READ, _P.DELIVERY_RETRY})
_PHYSICIAN: Final = (
    _FRONT_DESK
    | _SENDING
    | {
        _P.IDENTITY_VALIDATE,
        _P.REPORT_DRAFT,
        _P.REPORT_SIGN,
        _P.REPORT_AMEND,
        _P.BREAK_GLASS,
        _P.DELEGATION_GRANT,
        _P.BREAK_GLASS_REVIEW,
        _P.DMP_CONTROL,
    }
)
_INTERN: Final = frozenset(
    {
        _P.PATIENT_READ,
        _P.EXAM_READ,
        _P.REPORT_READ,
        _P.REPORT_DRAFT,
        _P.DIRECTORY_READ,
    }
)
_IDENTITY: Final = frozenset(
    {
        _P.PATIENT_READ,
        _P.PATIENT_WRITE,
        _P.INS_READ,
        _P.INSI_CALL,
        _P.IDENTITY_VALIDATE,
        _P.IDENTITY_SUPERUSER,
        _P.IDENTITY_COPY_STORE,
        _P.IDENTITY_COPY_READ,
        _P.EXAM_READ,
        _P.DASHBOARD_READ,
    }
)
_INTEGRATOR: Final = frozenset(
    {
        _P.PATIENT_READ,
        _P.PATIENT_WRITE,
        _P.INS_READ,
        _P.INSI_CALL,
        _P.EXAM_READ,
        _P.EXAM_WRITE,
        _P.REPORT_READ,
        _P.REPORT_DRAFT,
        _P.MSS_SEND,
        _P.DELIVERY_READ,
    }
)

MATRIX: Final[dict[Role, frozenset[Permission]]] = {
    role: _EVERYONE | rights
    for role, rights in {
        Role.RADIOLOGIST: _PHYSICIAN,
        Role.NUCLEAR_PHYSICIAN: _PHYSICIAN,
        Role.TECHNOLOGIST: _FRONT_DESK,
        Role.SECRETARY: _FRONT_DESK | _SENDING | {_P.REPORT_DRAFT},
        Role.INTERN: _INTERN,
        Role.REFERRER: frozenset[Permission](),
        Role.IDENTITY_OFFICER: _IDENTITY | {_P.HL7_CONTROL},
        Role.ADMIN_SECURITY: frozenset({_P.ACCOUNT_READ, _P.ACCOUNT_ADMIN}),
        Role.ADMIN_TECH: frozenset({_P.CONFIG_ADMIN, _P.HL7_CONTROL}),
        Role.AUDITOR: frozenset(
            {_P.ACCOUNT_READ, _P.AUDIT_READ, _P.AUDIT_EXPORT, _P.BREAK_GLASS_REVIEW}
        ),
        Role.INTEGRATOR: _INTEGRATOR,
    }.items()
}
_NOTHING: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType({})
HABILITABLE: Final = frozenset({Role.TECHNOLOGIST, Role.SECRETARY})


def allowed(role: Role, permission: Permission) -> bool:
    """Say whether *role* alone gives *permission*; what the matrix does not give is denied."""
    return permission in MATRIX[role]


@satisfies("RIS.INS.05", "RIS.INS.06")
def permissions_of(
    role: Role,
    *,
    identity_habilitated: bool = False,
    withheld: Mapping[Role, frozenset[Permission]] = _NOTHING,
) -> frozenset[Permission]:
    """Return the rights of one account.

    A technologist or a secretary validates identities only when personally habilitated
    (auth.md §9.2, row "Identity status"). *withheld* is what the site takes away from a role: a
    site only ever gives less than the matrix.
    """
    rights = MATRIX[role]
    if identity_habilitated and role in HABILITABLE:
        rights |= {Permission.IDENTITY_VALIDATE}
    return rights - withheld.get(role, frozenset())


_PROFESSIONS: Final = {Role.RADIOLOGIST: "10", Role.NUCLEAR_PHYSICIAN: "10"}
STUDENT: Final = "E"


def profession_allows(role: Role, held: Iterable[tuple[str, str]]) -> bool:
    """Say whether the exercises *held* (profession, category) still allow *role*.

    A profession limits and never gives: a physician's role needs a current exercise as physician,
    not as a student (auth.md §9.1).
    """
    needed = _PROFESSIONS.get(role)
    return needed is None or any(
        profession == needed and category != STUDENT for profession, category in held
    )
