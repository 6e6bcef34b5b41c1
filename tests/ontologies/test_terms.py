from __future__ import annotations

import sys
from types import MappingProxyType

import pytest

from corpuscle.errors import NotFoundError
from corpuscle.ontologies import (
    ORGANISMS,
    Ontology,
    Organism,
    current_id,
    normal_id,
    ontology,
    ontology_versions,
    schema_versions,
    terms,
)
from corpuscle.ontologies.ids import ids_in


def test_releases_are_those_of_schema_7_1() -> None:
    versions = ontology_versions()
    assert {name: versions[name] for name in ("CL", "UBERON", "MONDO", "EFO")} == {
        "CL": "v2026-03-26",
        "UBERON": "v2026-04-01",
        "MONDO": "v2026-05-05",
        "EFO": "v3.90.0",
    }


def test_term_has_name_synonyms_and_parents() -> None:
    cl = ontology("CL")
    assert cl.label("CL:0000084") == "T cell"
    assert cl.synonyms("CL:0000084") == ("T lymphocyte", "T-cell", "T-lymphocyte")
    assert cl.parents("CL:0000084") == ("CL:0000542",)
    assert cl.ancestors("CL:0000084")["CL:0000000"] == 5


@pytest.mark.parametrize(("prefix", "home"), [("ZFS", "ZFA"), ("AfPO", "HANCESTRO")])
def test_guest_prefix_lives_in_another_ontology(prefix: str, home: str) -> None:
    assert ontology(prefix) is ontology(home)


@pytest.mark.parametrize("prefix", ["CHEBI", "PO", "cl"])
def test_unknown_ontology_is_refused(prefix: str) -> None:
    with pytest.raises(NotFoundError, match="There is no ontology"):
        ontology(prefix)


def test_unknown_term_is_refused() -> None:
    with pytest.raises(NotFoundError, match=r"'CL:12312' is no term of CL v2026-03-26"):
        ontology("CL").label("CL:12312")


def test_73_deprecated_cell_types_have_no_mark_in_their_name() -> None:
    cl = ontology("CL")
    taken_back = [i for i, term in cl.terms.items() if term["deprecated"]]
    unmarked = [i for i in taken_back if not cl.label(i).casefold().startswith("obsolete")]
    assert (len(taken_back), len(unmarked)) == (272, 73)
    assert not set(unmarked) & cl.descendants("CL:0000000")


def test_nameless_term_of_the_fly_is_not_current() -> None:
    assert not ontology("FBbt").is_current("FBbt:00000075")


def test_descendants_leave_the_root_out() -> None:
    t_cells = ontology("CL").descendants("CL:0000084")
    assert "CL:0000625" in t_cells
    assert "CL:0000084" not in t_cells


def test_table_lists_current_terms_only() -> None:
    table = ontology("CL").table()
    assert list(table.columns) == ["ontology_id", "name", "definition", "synonyms", "parents"]
    assert len(table) == 3_324


def test_table_row_is_ready_for_a_registry() -> None:
    table = ontology("CL").table()
    (row,) = table[table["ontology_id"] == "CL:0000084"].to_dict("records")
    assert (row["name"], row["synonyms"]) == ("T cell", "T lymphocyte|T-cell|T-lymphocyte")
    assert row["parents"] == ["CL:0000542"]


@pytest.mark.parametrize(
    ("term_id", "expected"),
    [
        pytest.param("CL:0000084", "CL:0000084", id="current"),
        pytest.param("CL:0000044", "CL:0000051", id="replaced"),
        pytest.param("EFO:0009310", "EFO:0009899", id="replaced assay"),
        pytest.param("CL:0000002", None, id="replaced outside of what is loaded"),
        pytest.param("HsapDv:0000087", None, id="obsolete"),
        pytest.param("CL:12312", None, id="unknown"),
        pytest.param("nonsense", None, id="no id"),
        pytest.param("ZFS:0000020", "ZFS:0000020", id="stage of fish"),
        pytest.param("NCBITaxon:9606", "NCBITaxon:9606", id="taxon"),
        pytest.param("NCBITaxon:9593", "NCBITaxon:9595", id="variant of a taxon"),
        pytest.param("NCBITaxon:4932", None, id="taxon we have no use for"),
    ],
)
def test_term_leads_to_the_one_in_use(term_id: str, expected: str | None) -> None:
    assert current_id(term_id) == expected


def test_every_replacement_is_current() -> None:
    mondo = ontology("MONDO")
    ends = {current_id(i) for i in mondo.terms if not mondo.is_current(i)} - {None}
    assert len(ends) > 1_000
    assert all(current_id(str(end)) == end for end in ends)


def test_replacement_can_be_of_another_ontology() -> None:
    efo = ontology("EFO")
    found = {current_id(i) for i in efo.terms if not efo.is_current(i)}
    assert any(str(i).startswith("MONDO:") for i in found)


def test_circle_of_replacements_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    circle = Ontology(
        prefix="CL",
        version="x",
        schema="7.1.0",
        terms=MappingProxyType(
            {
                "CL:1": {"label": "a", "deprecated": True, "replaced_by": "CL:2"},
                "CL:2": {"label": "b", "deprecated": True, "replaced_by": "CL:1"},
            }
        ),
    )
    monkeypatch.setattr(terms, "ontology", lambda prefix, schema: circle)
    assert current_id("CL:1") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CL:0000084", "CL:0000084"),
        (" cl_0000084 ", "CL:0000084"),
        ("obo.HsapDv_0000264", "HsapDv:0000264"),
        ("http://purl.obolibrary.org/obo/UBERON_0002107", "UBERON:0002107"),
        ("CVCL_0023", "CVCL_0023"),
        ("CVCL:0023", "CVCL_0023"),
        ("GO:0008150", "GO:0008150"),
        ("cluster_12", None),
        ("T cell", None),
        ("EFO:0009922 (sci-plex)", None),
        ("", None),
    ],
)
def test_id_is_written_as_it_should(text: str, expected: str | None) -> None:
    assert normal_id(text) == expected


def test_ids_are_found_inside_a_text() -> None:
    text = "CL:0000084 or CL_0000625 (see GO:0008150), again CL:0000084"
    assert ids_in(text) == ("CL:0000084", "CL:0000625")


def test_what_to_consider_is_written_as_ids() -> None:
    assert ontology("HsapDv").consider("HsapDv:0000087") == ("HsapDv:0000226", "HsapDv:0000258")


def test_big_ontologies_stay_where_they_are() -> None:
    current_id("CL:0000084")
    guide = sys.modules["cellxgene_ontology_guide.supported_versions"]
    assert guide.load_ontology_file.cache_info().currsize <= len(ontology_versions())


def test_snapshots_are_listed_oldest_first() -> None:
    assert schema_versions() == ("7.0.0", "7.1.0")


def test_snapshot_has_its_own_releases() -> None:
    assert ontology("CL", schema="7.0.0").version == "v2025-07-30"
    assert ontology("CL").version == "v2026-03-26"


def test_unknown_snapshot_is_refused() -> None:
    with pytest.raises(NotFoundError, match="There is no snapshot"):
        ontology("CL", schema="6.0.0")


def test_term_is_found_by_name_before_synonym() -> None:
    cl = ontology("CL")
    assert cl.find("t  CELL") == ("CL:0000084",)
    assert cl.find("T-lymphocyte") == ("CL:0000084",)
    assert cl.find("no such cell") == ()


def test_deprecated_name_is_not_found() -> None:
    cl = ontology("CL")
    (gone,) = (cl.label(i) for i in ("CL:0000044",))
    assert "CL:0000044" not in cl.find(gone)


def test_children_are_one_step_below() -> None:
    cl = ontology("CL")
    children = cl.children("CL:0000084")
    assert "CL:0000789" in children
    assert all("CL:0000084" in cl.parents(child) for child in children)


def test_depth_counts_steps_from_the_root() -> None:
    cl = ontology("CL")
    assert (cl.depth("CL:0000000"), cl.depth("CL:0000084")) == (0, 5)


def test_closest_bridge_of_a_fish_cell_is_above_it() -> None:
    zfa = ontology("ZFA")
    direct = next(i for i, _ in zfa.current() if zfa.bridges(i))
    assert zfa.closest_bridges(direct) == tuple(sorted(zfa.bridges(direct)))
    indirect = next(
        i
        for i in sorted(zfa.descendants("ZFA:0009000"))
        if not zfa.bridges(i) and zfa.closest_bridges(i)
    )
    above = {b for a in zfa.ancestors(indirect) if a in zfa for b in zfa.bridges(a)}
    assert set(zfa.closest_bridges(indirect)) <= above


@pytest.mark.parametrize("organism", ORGANISMS, ids=lambda organism: organism.common)
def test_every_organism_has_a_lineage_to_the_root(organism: Organism) -> None:
    taxa = ontology("NCBITaxon")
    assert taxa.label(organism.taxon_id)
    assert "NCBITaxon:1" in taxa.ancestors(organism.taxon_id)
    assert all(above in taxa for above in taxa.ancestors(organism.taxon_id))


def test_plants_are_kin_of_plants_before_animals() -> None:
    taxa = ontology("NCBITaxon")
    maize, rice, mouse = (
        set(taxa.ancestors(f"NCBITaxon:{taxon}")) for taxon in (4577, 39947, 10090)
    )
    assert len(maize & rice) > len(maize & mouse)
