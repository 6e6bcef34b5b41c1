"""The 50 cell lines of Tahoe-100M: what Cellosaurus says of each."""

from __future__ import annotations

from dataclasses import dataclass

ORGANS: dict[str, tuple[str, ...]] = {
    "Bladder/Urinary Tract": ("UBERON:0001255", "UBERON:0001008"),
    "Bowel": ("UBERON:0000160",),
    "Breast": ("UBERON:0000310",),
    "CNS/Brain": ("UBERON:0001017", "UBERON:0000955"),
    "Cervix": ("UBERON:0000002",),
    "Esophagus/Stomach": ("UBERON:0001043", "UBERON:0000945"),
    "Kidney": ("UBERON:0002113",),
    "Liver": ("UBERON:0002107",),
    "Lung": ("UBERON:0002048",),
    "Ovary/Fallopian Tube": ("UBERON:0000992", "UBERON:0003889"),
    "Pancreas": ("UBERON:0001264",),
    "Peripheral Nervous System": ("UBERON:0000010",),
    "Skin": ("UBERON:0002097",),
    "Uterus": ("UBERON:0000995",),
    "Vulva/Vagina": ("UBERON:0000997", "UBERON:0000996"),
}
"""What the publisher's words for organs stand for: one organ or another."""

FEMALE, MALE = "PATO:0000383", "PATO:0000384"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLine:
    """A cell line and the donor it came from."""

    name: str
    """As the publisher spells it."""
    disease: str
    """Term of the donor's disease; the broader one where sources differ."""
    origin: str
    """Organ where that began, not where the sample was taken."""
    sex: str
    """Term of the donor's sex; empty if it is not known."""


def _lines(disease: str, origin: str, *rows: tuple[str, str, str]) -> dict[str, CellLine]:
    return {
        accession: CellLine(name=name, disease=disease, origin=origin, sex=sex)
        for accession, name, sex in rows
    }


LINES: dict[str, CellLine] = {
    **_lines(  # lung adenocarcinoma
        "MONDO:0005061",
        "UBERON:0002048",
        ("CVCL_0023", "A549", MALE),
        ("CVCL_1285", "HOP62", FEMALE),
        ("CVCL_1478", "NCI-H1573", FEMALE),
        ("CVCL_1495", "NCI-H1792", MALE),
        ("CVCL_1517", "NCI-H2030", MALE),
        ("CVCL_1531", "NCI-H2122", FEMALE),
        ("CVCL_1547", "NCI-H23", MALE),
        ("CVCL_1550", "NCI-H2347", FEMALE),
    ),
    **_lines(  # lung large cell carcinoma
        "MONDO:0003050",
        "UBERON:0002048",
        ("CVCL_0459", "NCI-H460", MALE),
        ("CVCL_1577", "NCI-H661", MALE),
    ),
    **_lines("MONDO:0004973", "UBERON:0002048", ("CVCL_1571", "NCI-H596", MALE)),  # adenosquamous
    **_lines("MONDO:0008433", "UBERON:0002048", ("CVCL_1693", "SHP-77", MALE)),  # small cell
    **_lines("MONDO:0005097", "UBERON:0002048", ("CVCL_1731", "SW 900", MALE)),  # squamous cell
    **_lines(  # lung carcinoma
        "MONDO:0005138",
        "UBERON:0002048",
        ("CVCL_1055", "A-427", MALE),
        ("CVCL_1716", "SW 1271", MALE),
    ),
    **_lines(  # colon adenocarcinoma
        "MONDO:0002271",
        "UBERON:0001155",
        ("CVCL_0218", "COLO 205", MALE),
        ("CVCL_0292", "HCT15", MALE),
        ("CVCL_0320", "HT-29", FEMALE),
        ("CVCL_0397", "LS 180", FEMALE),
        ("CVCL_0399", "LoVo", MALE),
        ("CVCL_0546", "SW480", MALE),
        ("CVCL_1717", "SW1417", FEMALE),
        ("CVCL_1724", "SW48", FEMALE),
    ),
    **_lines("MONDO:0002032", "UBERON:0001155", ("CVCL_0504", "RKO", "")),  # colon carcinoma
    **_lines(  # pancreatic ductal adenocarcinoma
        "MONDO:0005184",
        "UBERON:0001264",
        ("CVCL_0152", "AsPC-1", FEMALE),
        ("CVCL_0428", "MIA PaCa-2", MALE),
        ("CVCL_0480", "PANC-1", MALE),
        ("CVCL_1119", "CFPAC-1", MALE),
    ),
    **_lines("MONDO:0005192", "UBERON:0001264", ("CVCL_0334", "Hs 766T", MALE)),  # exocrine
    **_lines("MONDO:0006047", "UBERON:0001264", ("CVCL_1635", "Panc 03.27", FEMALE)),
    **_lines("PATO:0000461", "UBERON:0001264", ("CVCL_C466", "hTERT-HPNE", MALE)),  # normal
    **_lines("MONDO:0004989", "UBERON:0000310", ("CVCL_0332", "HS-578T", FEMALE)),  # carcinoma
    **_lines("MONDO:0004953", "UBERON:0000310", ("CVCL_0179", "BT-474", FEMALE)),  # ductal
    **_lines(  # melanoma
        "MONDO:0005105",
        "UBERON:0002097",
        ("CVCL_0069", "SK-MEL-2", MALE),
        ("CVCL_1381", "LOX-IMVI", MALE),
        ("CVCL_1666", "RPMI-7951", FEMALE),
    ),
    **_lines("MONDO:0002971", "UBERON:0002097", ("CVCL_1097", "C32", MALE)),  # amelanotic
    **_lines("MONDO:0018666", "UBERON:0002107", ("CVCL_1098", "HepG2/C3A", MALE)),
    **_lines("MONDO:0007256", "UBERON:0002107", ("CVCL_0366", "SNU-423", MALE)),
    **_lines(  # gastric carcinoma
        "MONDO:0004950",
        "UBERON:0000945",
        ("CVCL_0099", "SNU-1", MALE),
        ("CVCL_0371", "KATO III", MALE),
    ),
    **_lines(  # endometrium adenocarcinoma
        "MONDO:0005461",
        "UBERON:0001295",
        ("CVCL_0028", "AN3 CA", FEMALE),
        ("CVCL_0293", "HEC-1-A", FEMALE),
    ),
    **_lines("MONDO:0005131", "UBERON:0000002", ("CVCL_1094", "C-33 A", FEMALE)),
    **_lines("MONDO:0005086", "UBERON:0002113", ("CVCL_1056", "A498", FEMALE)),
    **_lines("MONDO:0005611", "UBERON:0001255", ("CVCL_0359", "J82", MALE)),
    **_lines("MONDO:0018177", "UBERON:0000955", ("CVCL_0131", "A-172", MALE)),  # glioblastoma
    **_lines("MONDO:0019781", "UBERON:0000955", ("CVCL_1715", "SW 1088", MALE)),  # astrocytoma
    **_lines("MONDO:0021042", "UBERON:0000955", ("CVCL_1239", "H4", MALE)),  # glioma
    **_lines("MONDO:0005072", "UBERON:0000010", ("CVCL_1125", "CHP-212", MALE)),  # neuroblastoma
}
"""By accession of Cellosaurus."""
