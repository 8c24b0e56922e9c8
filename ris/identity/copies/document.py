"""The security document that RIS.INS.58 asks for, in French, written from the real parameters.

Words only: every value comes from `parameters.py`. Published as `docs/security-id-copies.md`.
"""

from typing import Final

from ris.identity.copies.parameters import Parameters
from ris.identity.copies.routes import ERASE, READ, STORE
from ris.rem import satisfies

PUBLISHED: Final = "docs/security-id-copies.md"


@satisfies("RIS.INS.58")
def render(parameters: Parameters) -> str:
    """Return the document, Markdown."""
    chapters = (_head, _algorithms, _keys, _decryption, _access, _retention, _erasure, _limits)
    return "\n".join(chapter(parameters) for chapter in chapters)


def _head(p: Parameters) -> str:
    state = "activé" if p.settings.copies.enabled else "désactivé"
    return f"""# Copies de titres d'identité : chiffrement, conservation, suppression

Preuve documentaire de l'exigence RIS.INS.58 (scénario INS/va1.42.01), profil « Stockage des copies
de titres d'identité ». Ce document est produit par `ris docs id-copies` à partir des paramètres
réels du code ; ne pas le modifier à la main, `ris docs id-copies --check` le compare.

Le profil est **{state} par défaut** (`RIS_IDENTITY__COPIES__ENABLED`). Désactivé, tout dépôt est
refusé (403, `ID_COPIES_DISABLED`) et seul le type du titre présenté est conservé. Une copie ne
donne aucun statut à l'identité : la validation repose sur la présentation du titre, pas sur sa
copie.
"""


def _algorithms(p: Parameters) -> str:
    sizes = p.envelope
    return f"""## 1. Algorithmes et tailles de clés

| Objet | Algorithme | Taille |
| --- | --- | --- |
| Image | AES-GCM, une clé de données par copie | clé {sizes.data_key} bits, \
nonce {sizes.nonce} bits, étiquette {sizes.tag} bits |
| Clé de données | AES Key Wrap (RFC 3394) sous la clé de chiffrement de clés | \
{sizes.key_encryption_key} bits |
| Preuve de suppression | signature Ed25519 (RFC 8032) | clé 256 bits |

Données authentifiées jointes (AAD) : `{p.bound_to}`. Une ligne déplacée
vers un autre patient, ou modifiée d'un seul bit, ne se déchiffre pas. Aucune empreinte de l'image
n'est conservée.
"""


def _keys(p: Parameters) -> str:
    return f"""## 2. Cycle de vie des clés

- **Génération** : générateur aléatoire du système d'exploitation. Une clé de données et un nonce
  neufs à chaque dépôt ; la clé de chiffrement de clés à la création du trousseau et à chaque
  rotation.
- **Protection** : le trousseau (`RIS_KEYRING`) est un fichier hors de la base, en mode
  {p.envelope.keyring_mode} ; le logiciel refuse de démarrer si d'autres peuvent le lire. La base ne
  contient que des clés enveloppées. Un HSM ou un KMS peut remplacer le fichier (protocole
  `KeyWrapper`).
- **Accès** : seul le compte système du service lit le trousseau ; l'administrateur de la base n'y a
  pas accès, et celui du trousseau n'a pas besoin de la base.
- **Rotation** : `ris keys rotate` ajoute une clé, remplace le fichier de façon atomique, puis
  enveloppe à nouveau les clés de données ; les images ne sont ni lues ni réécrites. Interrompue,
  elle se reprend par `ris keys rotate --resume`. Le journal en garde la trace (`keys.rotated`).
  Elle reprend de même toutes les autres colonnes chiffrées de la base.
- **Anciennes clés** : elles restent dans le trousseau pour relire les sauvegardes ; leur retrait
  est une décision de l'exploitant.
- **Clé de signature des preuves** : créée à la première suppression, scellée par le trousseau ; son
  empreinte est au journal (`identity.copy_purge_key_created`).
"""


def _decryption(p: Parameters) -> str:
    listed = "\n".join(f"- `{name}: {value}`" for name, value in p.headers.items())
    return f"""## 3. Déchiffrement

Le déchiffrement n'a lieu que pour répondre à une consultation autorisée : la clé de données est
dégagée par le trousseau, l'image est déchiffrée et vérifiée en mémoire, envoyée, puis oubliée.
Aucun fichier temporaire, aucun cache, aucun export en nombre. La réponse est une pièce jointe
(`Content-Disposition: attachment`), avec :

{listed}
"""


def _access(p: Parameters) -> str:
    acts = {
        STORE: "déposer",
        READ: "lister et consulter",
        ERASE: "supprimer à la demande du patient",
    }
    rights = "\n".join(
        f"| {acts[right]} | `{right}` | {', '.join(roles)} |" for right, roles in p.roles.items()
    )
    kinds = "\n".join(
        f"| `{kind}` | `{signature.hex(' ')}` |" for kind, signature in p.signatures.items()
    )
    return f"""## 4. Accès et dépôt

| Acte | Droit | Rôles |
| --- | --- | --- |
{rights}

Consulter et supprimer demandent en outre une connexion de moins de {p.step_up_s // 60} minutes. Une
consultation porte un motif, et chaque consultation est au journal (`identity.copy_viewed` : qui,
quand, d'où, pourquoi) ; la trace est écrite dans la même transaction, donc pas d'image sans trace.
Un refus est tracé (`auth.access_denied`). Une identité douteuse ou fictive ne se consulte pas.

Types acceptés, reconnus aux premiers octets et conformes au type annoncé ; taille maximale \
{p.settings.copies.max_bytes} octets :

| Type | Premiers octets |
| --- | --- |
{kinds}

Le dépôt dit comment le patient a été informé. Les copies ne partent dans aucun flux (HL7, FHIR,
CDA, DMP, MSSanté, DICOM) et n'entrent ni dans les journaux techniques ni dans les messages
d'erreur.
"""


def _retention(p: Parameters) -> str:
    activities = "\n".join(f"- {label}" for label in p.activities)
    months = p.settings.copy_retention_months
    return f"""## 5. Conservation

Une copie est conservée **{months} mois ({months // 12} ans) après la dernière activité** du patient
(`RIS_IDENTITY__COPY_RETENTION_MONTHS`, {months} au plus). Le terme n'est pas stocké : il est
recalculé à chaque purge à partir des faits, donc toute activité le repousse et il ne peut pas
dériver. Même heure de Paris, jour ramené au dernier du mois s'il n'existe pas (29 février → 28
février). Comptent comme activité :

{activities}

Une simple consultation du dossier n'en est pas une.
"""


def _erasure(p: Parameters) -> str:
    fields = ", ".join(f"`{name}`" for name in p.record_fields)
    return f"""## 6. Suppression

La tâche `purge_id_copies` passe toutes les {p.purge_every_s // 3600} heures, que le profil soit
encore activé ou non ; entre le terme et son passage, la copie n'est déjà plus consultable (410,
`COPY_RETENTION`). Elle supprime la ligne, clé de données enveloppée comprise (effacement
cryptographique), dans une transaction par copie. Le patient peut aussi demander la suppression ; le
statut de l'identité ne change pas. La fusion de deux dossiers supprime aussitôt les copies du
dossier absorbé ; l'annulation de la fusion ne les rend pas.

Chaque suppression laisse une preuve signée (`{p.record_format}`, table en ajout seul), sans image,
ni empreinte, ni clé. La signature Ed25519 porte sur le JSON aux clés triées de : {fields}.
`ris copies erasures` les liste et vérifie chaque signature ; un auditeur n'a besoin que de la clé
publique.
"""


def _limits(_: Parameters) -> str:
    return """## 7. Ce qui reste à l'exploitant

- Les sauvegardes de la base contiennent les copies chiffrées et leurs clés enveloppées jusqu'à la
  fin de leur propre cycle : le trousseau se sauvegarde à part. Une base restaurée est purgée au
  premier passage de la tâche.
- Pendant une rotation, le dossier du trousseau doit être inscriptible par le compte qui la lance.
- PostgreSQL libère la place d'une ligne supprimée, il ne l'écrase pas : le chiffrement des disques
  et le cycle des journaux de transactions (WAL) relèvent de l'hébergement.
- Rien n'est décodé : une image garde les métadonnées que le scanner y a mises, un PDF son contenu
  actif éventuel. L'envoi en pièce jointe et `nosniff` empêchent le navigateur de les exécuter.
"""
