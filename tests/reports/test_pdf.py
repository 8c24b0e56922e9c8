"""The printed report: derived from the CDA, PDF/A-1b, with what paper must show."""

import json
from dataclasses import replace
from importlib import resources
from io import BytesIO

import pytest
import typst
import zxingcpp
from PIL import Image

from ris.identity.values import INS_OIDS, NIA, Ins, Sex, Status
from ris.reports.artefacts import make
from ris.reports.cda.build import build_n3
from ris.reports.cda.read import read
from ris.reports.content import ReportContent
from ris.reports.pdf import datamatrix
from ris.reports.pdf.render import render, view
from ris.reports.settings import PaperTrait, ReportSettings
from ris.reports.validation.pdfa import pdf_findings
from tests.plugin_rem import Evidence
from tests.reports.pdf_text import text_of
from tests.reports.sample import MATRICULE, PATIENT, content, second_version

SETTINGS = ReportSettings(gdpr_notice="Vos données sont protégées (RGPD).")


def printed(value: ReportContent) -> bytes:
    return render(read(build_n3(value)), notice=SETTINGS.gdpr_notice)


@pytest.mark.rem("RIS.DOC.01", scenario="DOC/va1.01.01")
def test_the_pdf_passes_the_structural_check_of_pdfa_1b(evidence: Evidence) -> None:
    pdf = printed(content())
    evidence.add("01", "compte-rendu.pdf", pdf)
    assert pdf_findings(pdf) == []


@pytest.mark.rem("ECO.2.1.5")
def test_another_text_in_the_cda_is_another_text_in_the_pdf() -> None:
    n3 = build_n3(content())
    changed = n3.replace(b"sans anomalie", b"avec une anomalie")
    assert "Scanner cérébral sans anomalie décelable." in text_of(render(read(n3)))
    assert "Scanner cérébral avec une anomalie décelable." in text_of(render(read(changed)))


def test_every_dictated_line_is_printed() -> None:
    text = text_of(printed(content()))
    said = content().sections
    for line in (said.indication, said.history, said.results, *said.technique.split("\n")):
        assert line in text


def test_no_pregnancy_is_printed_for_a_man_though_the_cda_states_it() -> None:
    man = replace(PATIENT, traits=replace(PATIENT.traits, sex=Sex.MALE), ins=None)
    value = replace(content(), patient=man)
    assert "Statut de grossesse" in build_n3(value).decode()
    assert "grossesse" not in text_of(printed(value))
    assert "Statut de grossesse" in text_of(printed(content()))


def test_two_renderings_give_the_same_bytes() -> None:
    assert printed(content()) == printed(content())


@pytest.mark.rem("RIS.CRR.01", scenario="CRI/va1.01.01")
def test_the_report_shows_that_it_is_validated_by_whom_and_when(evidence: Evidence) -> None:
    pdf = printed(content())
    evidence.add("01", "compte-rendu-valide.pdf", pdf)
    lines = text_of(pdf).split("\n")
    assert {"Statut : Validé", "le 22/11/2026 à 15:30:00", "RPPS 01234560801"} <= set(lines)
    assert "par DR Jacques TESTRADIO" in lines


@pytest.mark.rem("RIS.DOC.04", scenario="DOC/va1.15.01")
def test_every_recipient_is_printed(evidence: Evidence) -> None:
    pdf = printed(content())
    evidence.add("02", "compte-rendu.pdf", pdf)
    text = text_of(pdf)
    assert "DR Stéphane TESTGENE (professionnel demandeur)" in text
    assert "MME Ève TESTPNEUMO" in text


@pytest.mark.rem("RIS.DOC.06", scenario="DOC/va1.03.01")
def test_the_sites_gdpr_notice_is_printed(evidence: Evidence) -> None:
    pdf = printed(content())
    evidence.add("01", "compte-rendu-rgpd.pdf", pdf)
    assert SETTINGS.gdpr_notice in text_of(pdf)


@pytest.mark.rem("RIS.INS.52", scenario="INS/va1.15.01")
@pytest.mark.parametrize(("oid", "nature"), [(PATIENT.ins.oid, "NIR"), (NIA, "NIA")])
def test_a_qualified_identity_is_printed_with_its_matricule_and_nature(
    oid: str, nature: str, evidence: Evidence
) -> None:
    pdf = printed(content(patient=replace(PATIENT, ins=Ins(MATRICULE, oid))))
    evidence.add("01", f"identite-{nature}.pdf", pdf)
    text = text_of(pdf)
    assert f"{MATRICULE} ({nature})" in text
    for value in ("PAT-TROIS", "DOMINIQUE", "28/03/1979", "Féminin"):
        assert value in text


@pytest.mark.rem("RIS.DOC.06", scenario="DOC/va1.05.01")
def test_each_site_configures_its_own_notice(evidence: Evidence) -> None:
    for number, notice in enumerate(("Information du site A.", "Information du site B."), 1):
        settings = ReportSettings(gdpr_notice=notice)
        pdf = make(content(), settings).pdf
        assert notice in text_of(pdf)
        evidence.add(f"{number:02d}", "reglage.json", settings.model_dump(mode="json"))
        evidence.add(f"{number:02d}", "compte-rendu.pdf", pdf)


@pytest.mark.rem("RIS.INS.53", scenario="INS/va1.10.01")
def test_the_site_chooses_the_extra_traits(evidence: Evidence) -> None:
    document = read(build_n3(content()))
    labels = [row[0] for row in view(document, "", frozenset({PaperTrait.BIRTH_PLACE}))["patient"]]
    assert "Lieu de naissance (code INSEE)" in labels
    assert "Prénoms de naissance" not in labels
    assert {"Nom de naissance", "Premier prénom de naissance", "Date de naissance"} <= set(labels)
    settings = ReportSettings(paper_traits=frozenset({PaperTrait.BIRTH_PLACE}))
    used = replace(PATIENT, traits=replace(PATIENT.traits, used_family="DURAND"))
    pdf = make(content(patient=used), settings).pdf
    assert "Lieu de naissance (code INSEE)" in text_of(pdf)
    assert "DURAND" not in text_of(pdf)
    evidence.add("01", "reglage.json", settings.model_dump(mode="json"))
    evidence.add("01", "compte-rendu.pdf", pdf)


@pytest.mark.rem("RIS.INS.54", scenario="INS/va1.03.01")
@pytest.mark.rem("RIS.DOC.03", scenario="DOC/va1.04.01")
def test_the_datamatrix_of_a_qualified_identity_reads_back(evidence: Evidence) -> None:
    patient = read(build_n3(content())).patient
    assert patient.ins is not None
    text = datamatrix.payload(patient, patient.ins)
    assert text == (
        "IS01" + "0" * 22 + "S1279035121518989S21.2.250.1.213.1.4.10"
        "S3DOMINIQUE MARIE-LOUISE\x1dS4PAT-TROIS\x1dS5FS628-03-1979S751215"
    )
    symbol = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.DataMatrix, force_square=True)
    image = symbol.to_image(scale=4)
    assert image.shape[0] == image.shape[1]
    found = zxingcpp.read_barcode(image)
    assert found is not None
    assert found.bytes == text.encode()
    evidence.add("01", "datamatrix.svg", datamatrix.drawing(text))


@pytest.mark.rem("RIS.INS.54", scenario="INS/va1.03.01")
@pytest.mark.rem("RIS.DOC.03", scenario="DOC/va1.04.01")
def test_the_datamatrix_is_on_the_printed_page(evidence: Evidence) -> None:
    document = read(build_n3(content()))
    template = resources.files("ris.reports.pdf") / "report.typ"
    with resources.as_file(template) as layout:
        page = typst.compile(
            layout,
            root=layout.parent,
            format="png",
            ppi=200,
            ignore_system_fonts=True,
            sys_inputs={"data": json.dumps(view(document), ensure_ascii=False)},
        )
    found = zxingcpp.read_barcode(Image.open(BytesIO(page)).convert("L"))
    assert found is not None
    assert document.patient.ins is not None
    assert found.bytes == datamatrix.payload(document.patient, document.patient.ins).encode()
    evidence.add("02", "page.png", page)


@pytest.mark.rem("RIS.INS.37", scenario="INS/va1.59.02")
@pytest.mark.parametrize("status", [one for one in Status if one != Status.QUALIFIEE])
def test_an_unqualified_identity_is_printed_without_ins_nor_datamatrix(
    status: Status, evidence: Evidence
) -> None:
    made = make(content(patient=replace(PATIENT, status=status)), SETTINGS)
    evidence.add("02", f"compte-rendu-{status}.pdf", made.pdf)
    text = text_of(made.pdf)
    assert "PAT-TROIS" in text
    for forbidden in (MATRICULE, *INS_OIDS, "Matricule INS", "Datamatrix", "NIR"):
        assert forbidden not in text
    assert view(read(made.n3))["datamatrix"] == ""


@pytest.mark.rem("RIS.MSS.15", scenario="MSS/va1.13.01")
def test_a_replacing_version_says_so(evidence: Evidence) -> None:
    pdf = printed(second_version())
    assert "Version 2 – annule et remplace la version 1" in text_of(pdf)
    evidence.add("01", "annule-et-remplace.pdf", pdf)


def test_markup_in_a_text_stays_text() -> None:
    hostile = '#read("/etc/passwd") @ref $x$ *b* <script>'
    said = replace(content().sections, results=hostile)
    assert hostile in text_of(printed(content(sections=said)))


def test_the_font_covers_french_typography() -> None:
    said = replace(content().sections, results="Œdème ≥ 12\u00a0mm, 3\u202fµm – l’œil ½ ² ±")
    assert "Œdème ≥ 12\u00a0mm, 3\u202fµm – l’œil ½ ² ±" in text_of(printed(content(sections=said)))


def test_level_1_embeds_the_very_pdf() -> None:
    made = make(content(), SETTINGS)
    assert read(made.n1).pdf == made.pdf
