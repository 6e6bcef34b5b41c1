from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from corpuscle.errors import InputError, NotFoundError
from corpuscle.ontologies import Orthologs, ortholog_groups, read_orthologs

if TYPE_CHECKING:
    from pathlib import Path

HUMAN, MOUSE, FISH = "NCBITaxon:9606", "NCBITaxon:10090", "NCBITaxon:7955"
NAMES = {"H": HUMAN, "M": MOUSE, "F": FISH}


def _table(*pairs: str, **columns: Any) -> Orthologs:
    """Edges such as ``H1 M1``; the first letter is the species."""
    rows = [pair.split() for pair in pairs]
    frame = pd.DataFrame(
        {
            "gene_a": [a for a, _ in rows],
            "taxon_a": [NAMES[a[0]] for a, _ in rows],
            "gene_b": [b for _, b in rows],
            "taxon_b": [NAMES[b[0]] for _, b in rows],
            "source": "test",
        }
    )
    return Orthologs.of(frame.assign(**columns))


def _groups(table: Orthologs, how: Any, *organisms: str, **options: Any) -> dict[str, str | None]:
    found = ortholog_groups(organisms, how, orthologs=table, **options)
    return dict(zip(found["gene_id"], found["group_id"], strict=True))


def test_one2one_goes_along_1_to_1_edges_across_species() -> None:
    table = _table("H1 M1", "H1 F1", "H2 M2", "H2 F2", "H2 F3", "H4 F4")
    assert _groups(table, "one2one", "human", "mouse", "zebrafish") == {
        "F1": "one2one:H1",
        "F4": "one2one:H4",
        "H1": "one2one:H1",
        "H2": "one2one:H2",
        "H4": "one2one:H4",
        "M1": "one2one:H1",
        "M2": "one2one:H2",
    }


def test_one2one_never_has_two_genes_of_a_species() -> None:
    table = _table("H1 M1", "M1 F1", "F1 H2")
    found = ortholog_groups(["human", "mouse", "zebrafish"], orthologs=table)
    assert found["group_id"].isna().all()
    assert found["rule"].unique().tolist() == ["several"]
    assert found["n_genes"].tolist() == [0, 0, 0, 0]


def test_component_takes_every_connected_gene() -> None:
    table = _table("H1 M1", "H1 M2", "M2 F1", "H2 M3")
    found = ortholog_groups(["mouse", "zebrafish", "human"], "component", orthologs=table)
    first = found[found["group_id"] == "component:H1"]
    assert first["gene_id"].tolist() == ["F1", "H1", "M1", "M2"]
    assert first[["n_genes", "n_organisms"]].drop_duplicates().to_numpy().tolist() == [[4, 3]]


def test_only_edges_between_the_organisms_count() -> None:
    table = _table("H1 M1", "H1 F1", "M2 F1")
    assert set(_groups(table, "component", "human", "mouse")) == {"H1", "M1"}


def test_anchor_takes_the_best_edge_or_none() -> None:
    table = _table("H1 M1", "H2 M1", "H3 M2", "H4 M2", "H3 M3", support=[5, 3, 2, 2, 1])
    found = ortholog_groups(["human", "mouse"], "anchor", orthologs=table)
    assert found[["gene_id", "group_id", "rule"]].fillna("none").to_numpy().tolist() == [
        ["H1", "anchor:H1", "anchor"],
        ["H3", "anchor:H3", "anchor"],
        ["M1", "anchor:H1", "anchor"],
        ["M2", "none", "ambiguous"],
        ["M3", "anchor:H3", "anchor"],
    ]


def test_an_anchor_need_not_be_a_member() -> None:
    table = _table("H1 M1", "H1 F1", "M2 F2")
    assert _groups(table, "anchor", "mouse", "zebrafish") == {"F1": "anchor:H1", "M1": "anchor:H1"}


def test_another_anchor_gives_other_groups() -> None:
    table = _table("H1 M1", "H1 F1", "M1 F1")
    assert set(_groups(table, "anchor", "human", "zebrafish", anchor="mouse").values()) == {
        "anchor:M1"
    }


@pytest.mark.parametrize(
    ("organisms", "how", "error", "message"),
    [
        (["human", "mouse"], "best", InputError, "how is 'best'. Pass one of anchor, component"),
        (["human"], "one2one", InputError, "Groups are of two or more organisms"),
        (["human", "NCBITaxon:9606"], "one2one", InputError, "not of NCBITaxon:9606"),
        (["human", "zebrafish"], "component", NotFoundError, "There are no edges between"),
        (["human", "nobody"], "component", NotFoundError, "'nobody' is no organism we know"),
    ],
)
def test_what_cannot_be_grouped_is_refused(
    organisms: list[str], how: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as refused:
        ortholog_groups(organisms, how)
    assert message in str(refused.value)


@pytest.mark.parametrize("how", ["one2one", "component", "anchor"])
def test_groups_of_human_and_mouse_hold_each_gene_once(how: Any) -> None:
    found = ortholog_groups(["mouse", "human"], how)
    assert not found["gene_id"].duplicated().any()
    again = ortholog_groups(["human", "mouse"], how)
    pd.testing.assert_frame_equal(found, again)


def test_real_groups_across_five_species(real_data: Path) -> None:
    path = real_data / "references" / "orthology" / "babelgene_orthologs_19species.tsv"
    table = read_orthologs(path, "babelgene")
    species = ["human", "mouse", "zebrafish", "chicken", "fruit fly"]
    found = ortholog_groups(species, "anchor", orthologs=table)
    sizes = found.dropna().drop_duplicates("group_id")["n_organisms"].value_counts()
    assert (int(sizes.sum()) > 200, int(sizes[5]) > 50) == (True, True)


def test_the_hash_seed_changes_nothing() -> None:
    code = (
        "from corpuscle.ontologies import ortholog_groups as g; import pandas as pd;"
        "print([int(pd.util.hash_pandas_object(g(['human', 'mouse'], how)).sum())"
        " for how in ('one2one', 'component', 'anchor')])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(p for p in sys.path if p)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
