"""The fictitious holders of the sandbox's wallet, as Pro Santé Connect would describe them.

All invented: RPPS of the ANS test range `8997…`, with right keys. Only claims; no protocol.
"""

from dataclasses import dataclass
from typing import Any, Final

SCM_SIRET: Final = "00000000993014"
PROVIDER_ID: Final = "5a0d1c4e-77b2-4f0a-9a55-3f2f6f2d9b10"


@dataclass(frozen=True, slots=True)
class Workplace:
    """One activity: the Struct_IdNat already prefixed, as in `ancienIdentifiantDeLaStructure`."""

    name: str
    struct_idnat: str
    sector: str = "SA07"
    mode: str = "L"


@dataclass(frozen=True, slots=True)
class Person:
    """A card or e-CPS holder; *profession* empty for staff without an exercise (CPE)."""

    ps_idnat: str
    family: str
    given: str
    profession: str = ""
    specialty: str = ""
    title: str = ""
    workplaces: tuple[Workplace, ...] = ()

    @property
    def sub(self) -> str:
        """Return the subject identifier, in PSC's form."""
        return f"f:{PROVIDER_ID}:{self.ps_idnat}"

    def userinfo(self) -> dict[str, Any]:
        """Return the userinfo claims (auth.md §3.5)."""
        origin = "RPPS" if self.ps_idnat.startswith("8") else "EDIT"
        exercises = [self._exercise()] if self.profession else []
        return {
            "sub": self.sub,
            "SubjectNameID": self.ps_idnat,
            "preferred_username": self.ps_idnat,
            "family_name": self.family,
            "given_name": self.given,
            "email_verified": False,
            "UITVersion": "1.0",
            "Palier_Authentification": "APPPRIP3^1.2.250.1.213.1.5.1.1.1",
            "PSI_Locale": "1.2.250.1.213.1.3.1.1",
            "Mode_Acces_Raison": "",
            "Acces_Regulation_Medicale": "FAUX",
            "SubjectRole": [f"{self.profession}^1.2.250.1.213.1.1.5.5"] if exercises else [],
            "otherIds": [{"identifiant": self.ps_idnat, "origine": origin, "qualite": 1}],
            "SubjectRefPro": {"codeCivilite": "M", "exercices": exercises},
        }

    def _exercise(self) -> dict[str, Any]:
        return {
            "codeProfession": self.profession,
            "codeCategorieProfessionnelle": "C",
            "codeCiviliteDexercice": self.title,
            "nomDexercice": self.family,
            "prenomDexercice": self.given,
            "codeTypeSavoirFaire": "S" if self.specialty else "",
            "codeSavoirFaire": self.specialty,
            "activities": [_activity(place) for place in self.workplaces],
        }


def _activity(place: Workplace) -> dict[str, str]:
    kind, raw = place.struct_idnat[0], place.struct_idnat[1:]
    return {
        "codeModeExercice": place.mode,
        "codeSecteurDactivite": place.sector,
        "codeGenreActivite": "GENR01",
        "numeroSiretSite": raw if kind == "3" else "",
        "numeroFinessSite": raw if kind == "1" else "",
        "raisonSocialeSite": place.name,
        "numeroVoie": "4",
        "codeTypeDeVoie": "R",
        "libelleVoie": "DES RAYONS INVENTES",
        "codePostal": "99999",
        "bureauCedex": "99999 VILLE FICTIVE",
        "telephone": "0100000000",
        "ancienIdentifiantDeLaStructure": place.struct_idnat,
        "autoriteDenregistrement": "CNOM/CNOM/CNOM",
    }


_SCM: Final = Workplace("SCM IMAGERIE INVENTEE", f"3{SCM_SIRET}", sector="SA08", mode="S")

RADIOLOGIST_A: Final = Person(
    "899700993001", "ONDEFICTIVE", "ALBA", "10", "SM44", "DR",
    (Workplace("CABINET DR ONDEFICTIVE", "499700993001004"),),
)  # fmt: skip
RADIOLOGIST_B: Final = Person(
    "899700993019", "RAYONFICTIF", "BASILE", "10", "SM44", "DR",
    (Workplace("CABINET DR RAYONFICTIF", "499700993019014"),),
)  # fmt: skip
RADIOLOGIST_TWO_SITES: Final = Person(
    "899700993027", "DEUXSITES", "CLELIA", "10", "SM44", "DR",
    (
        Workplace("CABINET DR DEUXSITES NORD", "499700993027009"),
        Workplace("CABINET DR DEUXSITES SUD", "499700993027017"),
    ),
)  # fmt: skip
TECHNOLOGIST: Final = Person(
    "899700993035", "CLICHEFICTIF", "DORIAN", "98", workplaces=(_SCM,)
)  # fmt: skip
REQUESTER: Final = Person(
    "899700993043", "DEMANDEFICTIVE", "ELOI", "10", "SM26", "DR",
    (Workplace("CABINET DR DEMANDEFICTIVE", "499700993043006"),),
)  # fmt: skip
SECRETARY: Final = Person(f"5{SCM_SIRET}/CPET00007", "AGENDAFICTIF", "FLORE")
IDENTITY_OFFICER: Final = Person(f"5{SCM_SIRET}/CPET00008", "VIGILFICTIF", "GASPARD")
ADMINISTRATOR: Final = Person(f"5{SCM_SIRET}/CPET00009", "DROITSFICTIFS", "HELENE")

PEOPLE: Final = (
    RADIOLOGIST_A,
    RADIOLOGIST_B,
    RADIOLOGIST_TWO_SITES,
    TECHNOLOGIST,
    REQUESTER,
    SECRETARY,
    IDENTITY_OFFICER,
    ADMINISTRATOR,
)
