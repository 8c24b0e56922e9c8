"""Names that FHIR R4 and FR Core give to things: profiles, extensions, code systems, codes.

No rule. Source: ins.md §2.3, §4 and §9; FR Core 2.2 (`hl7.fhir.fr.core`).
"""

from typing import Any, Final

from ris.identity.values import NIA, NIR, NIR_DEMO, NIR_TEST, Attribute, Sex, Status

Json = dict[str, Any]

FHIR_VERSION: Final = "4.0.1"
MEDIA_TYPE: Final = "application/fhir+json; fhirVersion=4.0"
_FR_CORE: Final = "https://hl7.fr/ig/fhir/core"
_TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"

PROFILE: Final = f"{_FR_CORE}/StructureDefinition/fr-core-patient"
PROFILE_INS: Final = f"{_FR_CORE}/StructureDefinition/fr-core-patient-ins"
GUIDE: Final = f"{_FR_CORE}/ImplementationGuide/hl7.fhir.fr.core"
RELIABILITY: Final = f"{_FR_CORE}/StructureDefinition/fr-core-identity-reliability"
BIRTH_LIST: Final = f"{_FR_CORE}/StructureDefinition/fr-core-patient-birth-list-given-name"
INSEE_CODE: Final = f"{_FR_CORE}/StructureDefinition/fr-core-address-insee-code"
DATE_CORRECTED: Final = f"{_FR_CORE}/StructureDefinition/fr-core-patient-birthdate-update-indicator"
BIRTH_PLACE: Final = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"

COG: Final = "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM"
V2_0203: Final = f"{_TERMINOLOGY}/v2-0203"
FR_0203: Final = f"{_FR_CORE}/CodeSystem/fr-core-cs-v2-0203"
STATUS: Final = f"{_FR_CORE}/CodeSystem/fr-core-cs-identity-status"
COMMENT: Final = f"{_FR_CORE}/CodeSystem/fr-core-cs-identity-status-comment"
TABLE_0445: Final = f"{_FR_CORE}/CodeSystem/fr-core-cs-v2-0445"
METHOD: Final = f"{_FR_CORE}/CodeSystem/fr-core-cs-method-collection"
VALIDATION: Final = f"{_FR_CORE}/CodeSystem/fr-core-cs-mode-validation-identity"
SUBSETTED: Final = {"system": f"{_TERMINOLOGY}/v3-ObservationValue", "code": "SUBSETTED"}

# OID of the INS: the code of its slice and its use (ins.md §2.3)
INS_SLICES: Final = {
    NIR: ("INS-NIR", "official"),
    NIA: ("INS-NIA", "temp"),
    NIR_TEST: ("INS-NIR-TEST", "official"),
    NIR_DEMO: ("INS-NIR-DEMO", "official"),
}
INS_C: Final = "1.2.250.1.213.1.4.2"
IPP: Final = "PI"
BILLING: Final = "NH"

STATUS_CODES: Final = {
    Status.PROVISOIRE: "PROV",
    Status.RECUPEREE: "RECUP",
    Status.VALIDEE: "VALI",
    Status.QUALIFIEE: "QUAL",
}
ATTRIBUTE_CODES: Final = {
    Attribute.DOUTEUSE: "DOUT",
    Attribute.FICTIVE: "FICT",
    Attribute.HOMONYME: "HOMA",
}
ABSORBED_CODES: Final = ("DOUA", "DESA")
GENDERS: Final = {Sex.FEMALE: "female", Sex.MALE: "male", Sex.UNKNOWN: "unknown"}
SEXES: Final = {gender: sex.value for sex, gender in GENDERS.items()}
# documents of the site's list that `fr-core-cs-mode-validation-identity` knows (ins.md §4.4)
VALIDATION_MODES: Final = frozenset(
    {"CN", "PA", "CS", "eCN", "IN", "AV", "AN", "LEP", "CC", "LECV", "ANCV"}
)


def urn(oid: str) -> str:
    """Return the FHIR system of an OID."""
    return f"urn:oid:{oid}"


def oid_of(system: str) -> str:
    """Return the OID that a FHIR system names, empty when it names none."""
    return system.removeprefix("urn:oid:") if system.startswith("urn:oid:") else ""
