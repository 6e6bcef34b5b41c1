from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from corpuscle.errors import NotFoundError
from corpuscle.pipelines import Upgrade, ingest, upgrade_report
from corpuscle.pipelines._review_show import upgrade_view
from corpuscle.pipelines._upgrade import SchemaSnapshot, Use, label_changes, term_changes

from .conftest import write_h5ad

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from corpuscle.pipelines import Workspace

    from .conftest import Done

HUMAN = "NCBITaxon:9606"


@dataclass
class Store:
    """Ontologies of a few terms."""

    names: Mapping[str, str]
    replaced: Mapping[str, str | None] = field(default_factory=dict)
    banned: frozenset[str] = frozenset()
    mapped: Mapping[str, str] = field(default_factory=dict)

    def label(self, term_id: str) -> str | None:
        return self.names.get(term_id)

    def current(self, term_id: str) -> str | None:
        return self.replaced.get(term_id, term_id)

    def allows(self, field: str, organism: str | None, term_id: str) -> bool:
        return term_id not in self.banned

    def map(
        self,
        labels: Sequence[str],
        field: str,
        organism: str,
        tissue: str | None,
        memory: pd.DataFrame | None,
    ) -> dict[str, str]:
        return {label: self.mapped.get(label, "") for label in labels}


NAMES = {f"CL:{i}": f"cell {i}" for i in range(7)}
NOW = Store(names=NAMES, replaced={"CL:6": "CL:0"}, mapped={"a": "CL:0", "b": "CL:1"})
THEN = Store(
    names={**{k: v for k, v in NAMES.items() if k != "CL:1"}, "CL:4": "better name"},
    replaced={"CL:2": "CL:0", "CL:5": None, "CL:6": "CL:0"},
    banned=frozenset({"CL:3"}),
    mapped={"a": "CL:0", "b": "CL:2", "c": "CL:0"},
)


def used(term_id: str) -> dict[tuple[str, str], Use]:
    use = Use(n_cells=5, datasets={"y", "x"}, organisms={HUMAN}, decisions=1)
    return {("cell_type", term_id): use}


@pytest.mark.parametrize(
    ("term_id", "expected"),
    [
        ("CL:0", []),
        ("CL:1", [("gone", "cell 1", "")]),
        ("CL:2", [("deprecated", "cell 2", "CL:0 cell 0")]),
        ("CL:5", [("deprecated", "cell 5", "")]),
        ("CL:6", []),
        ("CL:3", [("out of vocabulary", "cell 3", HUMAN)]),
        ("CL:4", [("renamed", "cell 4", "better name")]),
        ("unknown", []),
    ],
    ids=["same", "gone", "replaced", "taken back", "before too", "moved", "renamed", "a word"],
)
def test_terms_that_would_be_something_else_are_found(
    term_id: str, expected: list[tuple[str, str, str]]
) -> None:
    found = list(term_changes(used(term_id), NOW, THEN))
    assert [(c.kind, c.before, c.after) for c in found] == expected
    assert {(c.n_cells, c.datasets, c.decisions) for c in found} <= {(5, ("x", "y"), 1)}


def test_labels_that_would_be_mapped_otherwise_are_found_with_their_cells(
    workspace: Workspace,
) -> None:
    labels = {("cell_type", HUMAN, dataset, label): 3 for dataset in ("d", "e") for label in "abcz"}
    found = sorted(label_changes(labels, NOW, THEN, tissues={}), key=lambda change: change.subject)
    assert [(c.subject, c.before, c.after, c.n_cells, c.datasets) for c in found] == [
        ("b", "CL:1", "CL:2", 6, ("d", "e")),
        ("c", "", "CL:0", 6, ("d", "e")),
    ]


def test_the_ontologies_of_today_change_nothing(workspace: Workspace, tmp_path: Path) -> None:
    path = write_h5ad(tmp_path / "a.h5ad", tissue="lung", sex="female", disease="COVID-19")
    assert [o.status for o in ingest([path])] == ["new"]
    now = SchemaSnapshot()
    labels = {("cell_type", HUMAN, "a", label): 1 for label in ("T cell", "gork")}
    assert list(label_changes(labels, now, now, tissues={"a": ["UBERON:0002048"]})) == []
    for term in ("CL:0000084", "UBERON:0002048"):
        assert list(term_changes(used(term), now, now)) == []


def test_an_upgrade_is_counted_for_people_and_programs() -> None:
    from rich.console import Console

    changes = [*term_changes(used("CL:2"), NOW, THEN), *term_changes(used("CL:1"), NOW, THEN)]
    found = Upgrade(
        releases={"CL": ("v2", "v1")}, n_terms=7, n_labels=3, changes=tuple(changes * 30)
    )
    assert found.to_dict()["counts"]["gone"] == {"changes": 30, "n_cells": 150}
    console = Console(width=160, record=True)
    with console.capture() as text:
        console.print(upgrade_view(found, "7.0.0"))
    assert "CL v2 -> v1" in text.get()
    assert "20 more" in text.get()


def test_an_older_schema_is_compared_over_the_registry(
    workspace: Workspace, tmp_path: Path
) -> None:
    assert [o.status for o in ingest([write_h5ad(tmp_path / "a.h5ad", tissue="lung")])] == ["new"]
    found = upgrade_report("7.0.0")
    assert (found.n_terms, found.n_labels, "CL" in found.releases) == (3, 3, True)
    with pytest.raises(NotFoundError):
        upgrade_report("1.0.0")


def test_upgrade_is_a_command_that_changes_nothing(
    workspace: Workspace, tmp_path: Path, corpuscle: Callable[..., Done]
) -> None:
    assert [o.status for o in ingest([write_h5ad(tmp_path / "a.h5ad", tissue="lung")])] == ["new"]
    done = corpuscle("references", "upgrade", "--schema", "7.0.0", "--json")
    assert (done.code, "CL" in done.json["releases"]) == (0, True)
    assert [o.status for o in ingest([tmp_path / "a.h5ad"])] == ["unchanged"]
    refused = corpuscle("references", "upgrade", "--schema", "1.0.0")
    assert (refused.code, "There is no snapshot" in refused.err) == (1, True)
