"""The 40 lines of the INS test day (rem.md §8): scenario numbers, what a witness must see.

Data only, in the order of the day. Who plays each line is said by the mark `ins_day` of the tests.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its scenario numbers, without their common prefix, and what must be seen."""

    scenarios: tuple[str, ...]
    expected: str

    @property
    def full(self) -> tuple[str, ...]:
        """The scenario numbers as the catalogue writes them."""
        return tuple(f"INS/va1.{number}" for number in self.scenarios)


def _line(scenarios: str, expected: str) -> Line:
    return Line(tuple(scenarios.split()), expected)


LINES: Final = {
    1: _line("56.01 01.01", "les dix champs de l'identité"),
    2: _line("56.02 01.02", "caractères admis et refusés, 54 et 100 caractères, saisie et flux"),
    3: _line("56.03 01.03", "jour hors 1-31 et mois hors 1-12 refusés"),
    4: _line("56.04", "numéro de facturation à part, libellé sans « INS »"),
    5: _line("36.01", "bandeau : quatre traits toujours, les autres par site, NIR ou NIA"),
    6: _line("39.01 49.01", "journal des accès à l'INS et des appels INSi : date, heure, auteur"),
    7: _line("50.01 32.01", "profil restreint refusé ; deux droits réglés séparément"),
    8: _line("02.01 02.02 02.03 02.04 02.05", "cinq recherches par date de naissance"),
    9: _line("25.01 25.02 25.03 25.04", "tirets et apostrophes sans effet sur la recherche"),
    10: _line("41.01", "recherche par matricule : 15 caractères, clé vérifiée avant"),
    11: _line("21.01", "cinq refus de création, un par champ manquant"),
    12: _line("22.01", "création sans nom ni prénom utilisés"),
    13: _line("23.01 26.01", "titre enregistré ; liste et niveaux de confiance réglables"),
    14: _line("55.01 55.02 33.01", "validation manuelle ; automatisme réglable, débrayable"),
    15: _line("54.01", "provisoire, validée, qualifiée"),
    16: _line("54.02", "provisoire, récupérée, qualifiée"),
    17: _line("52.01", "comparaison puis sept champs d'INSi ; ListePrenom ; JJ/MM/AAAA"),
    18: _line("51.01", "premier prénom non écrasé, alerte"),
    19: _line("28.01", "jour ou mois 00 : import bloqué"),
    20: _line("31.01 31.02 31.03", "nom, prénoms ou sexe vide : import bloqué"),
    21: _line("38.01 38.02 35.01 35.02", "journal : mode, code, matricule, OID, traits, passé"),
    22: _line("06.01", "vérification unitaire au journal, OK ou KO"),
    23: _line("08.01", "vérification KO : provisoire, INS retirée, liste de travail"),
    24: _line("18.01 18.02 47.01 47.02", "sept champs refusés à l'utilisateur, verrous visibles"),
    25: _line("48.01 48.02", "noms utilisés et coordonnées modifiables"),
    26: _line("60.01 60.03", "nom de naissance changé : INS retirée, statut abaissé, propagé"),
    27: _line("60.02 60.04", "nom utilisé changé : statut et INS gardés, propagé"),
    28: _line("44.01.01 44.01.02 44.01.03", "douteuse ou fictive : provisoire, six cas"),
    29: _line("20.01 20.02", "douteuse ou fictive : appel INSi bloqué"),
    30: _line("27.01", "modification au journal : date, heure, nature, professionnel"),
    31: _line("13.01 57.01", "INS d'un autre domaine vérifiée OK : récupérée avec INS"),
    32: _line("04.01", "contrat de confiance : qualifiée gardée ; sans contrat : INS vide"),
    33: _line("11.01", "vérification lancée automatiquement"),
    34: _line("12.01", "KO : données non classées, alerte, liste de travail"),
    35: _line("07.01", "patient connu, KO : rien de modifié"),
    36: _line("05.01", "patient inconnu, KO : traits seuls, ni matricule ni OID"),
    37: _line("46.01", "journal des envois : date, heure, émetteur, destinataire"),
    38: _line("59.01 59.02", "récupérée : ni matricule ni OID, électronique et papier"),
    39: _line("15.01 10.01 03.01", "papier : cinq traits, nature, traits au choix, datamatrix"),
    40: _line("67.01 68.01 68.02 68.03 69.01", "HL7 : INS stockée, non stockée, retirée, stockée"),
}  # fmt: skip
