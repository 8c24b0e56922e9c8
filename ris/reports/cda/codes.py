"""Code systems, template identifiers and small code tables of the CDA imaging report. Data only.

Sources: cda.md §3 and §4. Value sets that change (LOINC acts, SNOMED locations) are not here: they
are checked against the official kit when one is configured (`validation`).
"""

from typing import Final

from ris.orders import codes as act
from ris.orders.values import Code


def _codes(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


LOINC: Final = act.LOINC
SNOMED: Final = act.SNOMED
DCM: Final = act.DCM
CCAM: Final = act.CCAM
DCM_UID: Final = "1.2.840.10008.2.6.1"
PROFESSION: Final = "1.2.250.1.213.1.1.4.5"
PRACTICE_SETTING: Final = "1.2.250.1.213.1.1.4.9"
SECTOR: Final = "1.2.250.1.71.4.2.4"
PS_ID: Final = "1.2.250.1.71.4.2.1"
STRUCTURE_ID: Final = "1.2.250.1.71.4.2.2"
GENDER: Final = "2.16.840.1.113883.5.1"
CONFIDENTIALITY: Final = "2.16.840.1.113883.5.25"
ACT_CODE: Final = "2.16.840.1.113883.5.4"

REPORT_TYPE: Final = Code("18748-4", LOINC, "CR d'imagerie médicale")
MODALITY_QUALIFIER: Final = Code("121139", DCM, "Modalité d'imagerie")
REGION_QUALIFIER: Final = Code("39111-0", LOINC, "Localisation anatomique")
AMBULATORY: Final = Code("AMB", ACT_CODE, "Ambulatoire")
NOT_PREGNANT: Final = Code("60001007", SNOMED, "absence de grossesse")
PREGNANCY_UNKNOWN: Final = Code("261665006", SNOMED, "inconnu")
PREGNANCY_LABEL: Final = "Statut de grossesse"
PREGNANCY_STATUS: Final = Code("364320009", SNOMED, "statut de grossesse")
EXPOSURE: Final = Code("121290", DCM, "Exposition du patient aux rayonnements ionisants")
IRRADIATION_AUTHORISED: Final = Code("113850", DCM, "Autorisation d'irradiation")
STUDY: Final = Code("113014", DCM, "Examen")
SERIES: Final = Code("113015", DCM, "Série")
MEDICAL_HISTORY: Final = Code("11348-0", LOINC, "Antécédents médicaux")
SURGICAL_HISTORY: Final = Code("47519-4", LOINC, "Antécédents chirurgicaux")
CONTRAINDICATIONS: Final = Code("64100-1", LOINC, "Contre-indications")

COMMON_TEMPLATES: Final = ("2.16.840.1.113883.2.8.2.1", "1.2.250.1.213.1.1.1.1")
N1_TEMPLATE: Final = "1.3.6.1.4.1.19376.1.2.20"
N3_TEMPLATES: Final = ("1.2.840.10008.9.1", "1.2.840.10008.9.20", "1.2.840.10008.9.21")
MODEL_TEMPLATE: Final = "1.2.250.1.213.1.1.1.45"
MODEL_VERSION: Final = "2024.01"

ACT_SECTION: Final = "55111-9"
CONCLUSION_SECTION: Final = "19005-8"
CATALOGUE_SECTION: Final = "121181"
EXPOSURE_SECTION: Final = "73569-6"

MODALITIES: Final = act.MODALITIES
REGIONS: Final = act.REGIONS
IONISING: Final = _codes("CT CR DX MG RF XA RG PX IO NM PT BMD")
DOSE_QUANTITIES: Final = _codes(
    "111636 111637 113722 113726 113727 113730 113731 113507 113813 113830 113839"
)
NAME_PREFIXES: Final = frozenset({"M", "MME"})
NAME_SUFFIXES: Final = frozenset({"DR", "MC", "MG", "PC", "PG", "PR"})
GENDERS: Final = {"F": "Féminin", "M": "Masculin", "UN": "Indéterminé"}
SECTORS: Final = {
    "SA01": "Établissement public de santé",
    "SA04": "Établissement privé non PSPH",
    "SA05": "Centre de santé",
    "SA07": "Cabinet individuel",
    "SA08": "Cabinet de groupe",
    "SA09": "Exercice en société",
}
SETTINGS: Final = {"AMBULATOIRE": "Ambulatoire", "ETABLISSEMENT": "Établissement de santé"}
PROFESSIONS: Final = {
    "G15_10": "Médecin",
    "G15_10/SM26": "Médecin - Qualifié en médecine générale",
    "G15_10/SM28": "Médecin - Médecine nucléaire",
    "G15_10/SM44": "Médecin - Radio-diagnostic",
    "G15_10/SM55": "Médecin - Radio-diagnostic et radiothérapie",
    "G15_10/SM74": "Médecin - Radiologie et imagerie médicale",
    "G15_98": "Manipulateur ERM",
}
