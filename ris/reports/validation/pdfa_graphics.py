"""PDF/A-1b rules on what is drawn: colours, images, fonts, transparency (ISO 19005-1 §6.2-6.4)."""

from collections.abc import Iterator
from typing import Any, Final

import pikepdf
from pikepdf import Dictionary, Name, Pdf, Stream

from ris.reports.validation.pdfa_file import Broken

_COMPONENTS: Final = {b"GRAY": 1, b"RGB ": 3, b"Lab ": 3, b"CMYK": 4}
_DEVICE: Final = {"rg": b"RGB ", "RG": b"RGB ", "k": b"CMYK", "K": b"CMYK"}
_SPACES: Final = {"/DeviceRGB": b"RGB ", "/DeviceCMYK": b"CMYK"}
_NESTING: Final = 28


def broken(pdf: Pdf) -> Iterator[Broken]:
    """Yield `(clause, message)` for each rule that the drawings of *pdf* break."""
    intent = _intent(pdf)
    for one in pdf.objects:
        if isinstance(one, Stream | Dictionary):
            yield from _drawable(one)
        if isinstance(one, Stream) and one.get("/Subtype") == Name.Form:
            yield from _operators(one, intent)
        if isinstance(one, pikepdf.Array) and len(one) == 2 and one[0] == Name.ICCBased:
            yield from _profile(one[1])
    for page in pdf.pages:
        yield from _group(page.obj)
        yield from _resources(page.get("/Resources", Dictionary()))
        yield from _operators(page, intent)


def _resources(resources: Any) -> Iterator[Broken]:
    for state in dict(resources.get("/ExtGState", Dictionary())).values():
        yield from _state(state)
    for space in dict(resources.get("/ColorSpace", Dictionary())).values():
        if isinstance(space, pikepdf.Array) and space[0] == Name.ICCBased:
            yield from _profile(space[1])


def _drawable(one: Any) -> Iterator[Broken]:
    kind, subtype = one.get("/Type"), one.get("/Subtype")
    if kind == Name.ExtGState:
        yield from _state(one)
    if kind == Name.Font:
        yield from _font(one)
    if subtype == Name.Image:
        yield from _image(one)
    if subtype == Name.PS or one.get("/Subtype2") == Name.PS:
        yield "6.2.7", "Objet PostScript."
    if subtype == Name.Form:
        yield from _group(one)
        if "/Ref" in one:
            yield "6.2.6", "Objet de référence externe."
        if "/PS" in one:
            yield "6.2.5", "Formulaire contenant du PostScript."


def _image(image: Any) -> Iterator[Broken]:
    if "/Alternates" in image:
        yield "6.2.4.1", "Image à variantes."
    if "/OPI" in image:
        yield "6.2.4.2", "Image remplaçable (OPI)."
    if bool(image.get("/Interpolate", False)):
        yield "6.2.4.3", "Image interpolée."
    if "/SMask" in image and image.SMask != Name("/None"):
        yield "6.4.1", "Image à masque de transparence."


def _state(state: Any) -> Iterator[Broken]:
    if "/TR" in state:
        yield "6.2.8", "Fonction de transfert."
    if "/TR2" in state and Name.Default != state.TR2:
        yield "6.2.8", "Fonction de transfert."
    if "/SMask" in state and state.SMask != Name("/None"):
        yield "6.4.2", "Masque de transparence."
    if "/BM" in state and state.BM not in (Name.Normal, Name.Compatible):
        yield "6.4.4", "Mode de fusion interdit."
    if float(state.get("/CA", 1)) != 1:
        yield "6.4.5", "Trait translucide."
    if float(state.get("/ca", 1)) != 1:
        yield "6.4.6", "Aplat translucide."


def _group(one: Any) -> Iterator[Broken]:
    if "/Group" in one and one.Group.get("/S") == Name.Transparency:
        yield "6.4.3", "Groupe de transparence."


def _font(font: Any) -> Iterator[Broken]:
    subtype = font.get("/Subtype")
    if subtype in (Name.Type0, Name.Type3):
        return
    descriptor = font.get("/FontDescriptor", Dictionary())
    if not any(key in descriptor for key in ("/FontFile", "/FontFile2", "/FontFile3")):
        yield "6.3.4.1", "Police non incorporée."
    if subtype == Name.CIDFontType2 and "/CIDToGIDMap" not in font:
        yield "6.3.3.2.1", "Police sans table CIDToGIDMap."
    if str(font.get("/BaseFont", ""))[7:8] != "+":
        return
    if subtype == Name.Type1 and "/CharSet" not in descriptor:
        yield "6.3.5.2", "Sous-ensemble de police sans CharSet."
    if subtype in (Name.CIDFontType0, Name.CIDFontType2) and "/CIDSet" not in descriptor:
        yield "6.3.5.3", "Sous-ensemble de police sans CIDSet."


def _profile(profile: Any) -> Iterator[Broken]:
    if _COMPONENTS.get(profile.read_bytes()[16:20]) != int(profile.get("/N", 0)):
        yield "6.2.3.2.2", "Profil ICC en désaccord avec son nombre de composantes."


def _intent(pdf: Pdf) -> bytes:
    for intent in pdf.Root.get("/OutputIntents", []):
        if "/DestOutputProfile" in intent:
            return bytes(intent.DestOutputProfile.read_bytes()[16:20])
    return b""


def _operators(content: Any, intent: bytes) -> Iterator[Broken]:
    depth = 0
    for instruction in pikepdf.parse_content_stream(content):
        name, operands = str(instruction.operator), instruction.operands
        depth += {"q": 1, "Q": -1}.get(name, 0)
        if depth > _NESTING:
            yield "6.1.12", "États graphiques trop imbriqués."
        needed = _DEVICE.get(name)
        if name in ("cs", "CS"):
            needed = _SPACES.get(str(operands[0]))
        if needed and needed != intent:
            yield "6.2.3.3", "Couleur de périphérique sans le profil de sortie voulu."
        if name in ("g", "G") and not intent:
            yield "6.2.3.3", "Gris de périphérique sans profil de sortie."
