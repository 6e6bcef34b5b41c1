"""What changes in the world, or in the code, curates anew what it touches and nothing else."""

from __future__ import annotations

import csv
import gzip
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest

from corpuscle.curation import PROCESSING_VERSION
from corpuscle.ontologies import ontology_versions, use_gene_tables
from corpuscle.pipelines._references import add_genes

from .conftest import write_h5ad
from .test_build_engines import run
from .test_references import COW, IDS, gtf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from corpuscle.pipelines import Workspace

    from .conftest import Done

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def recipe(workspace: Workspace, tmp_path: Path) -> Iterator[Path]:
    """A recipe of a folder that is empty as yet."""
    (tmp_path / "files").mkdir()
    path = tmp_path / "recipe.yaml"
    path.write_text("name: atlas\nsources: [{source: local, paths: files}]\n")
    yield path
    use_gene_tables({})


def run_older(folder: Path, *words: object, **changes: tuple[str, str]) -> Any:
    """Run a command by a copy of this code in which a line of a file is replaced."""
    code = folder / "code"
    for name in ("corpuscle", "curation", "loaders", "ontologies", "pipelines"):
        shutil.copytree(ROOT / name, code / name, symlinks=True, copy_function=os.link)
    for name, (now, then) in changes.items():
        (path,) = (p for p in code.glob(f"*/{name}.py") if not p.parent.is_symlink())
        text = path.read_text()
        assert now in text
        path.unlink()  # it is the same file as here
        path.write_text(text.replace(now, then))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(code))
        return run(folder / "cache", *words)


def statuses(built: Any) -> dict[str, str]:
    return {outcome["dataset"]: outcome["status"] for outcome in built["datasets"]}


def reasons(change: Any) -> dict[str, tuple[str, str]]:
    return {r["what"]: (r["before"], r["after"]) for r in change["reasons"]}


def write_cow(path: Path, genes: Sequence[str], seed: int) -> None:
    counts = np.random.default_rng(seed).poisson(2.0, (4, len(genes))).astype(np.float32)
    obs = pd.DataFrame(index=[f"c{i}" for i in range(4)])
    anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=list(genes))).write_h5ad(path)


def test_a_gene_release_touches_the_datasets_whose_genes_it_changes(
    recipe: Path, tmp_path: Path, corpuscle: Callable[..., Done]
) -> None:
    table = tmp_path / "Bos_taurus.ARS-UCD1.3.114.gtf.gz"
    table.write_bytes(gzip.compress(gtf(IDS).encode()))
    add_genes(str(table), organism=COW)
    write_cow(tmp_path / "files" / "few.h5ad", IDS[:50], seed=1)
    write_cow(tmp_path / "files" / "all.h5ad", IDS, seed=2)
    write_cow(tmp_path / "files" / "symbols.h5ad", [f"S{i}" for i in range(55)], seed=3)
    write_h5ad(tmp_path / "files" / "human.h5ad")
    first = corpuscle("build", recipe, "--json").json
    assert statuses(first) == {"few": "new", "all": "new", "symbols": "new", "human": "new"}
    table.write_bytes(gzip.compress(gtf(IDS[:-1]).encode()))
    add_genes(str(table), organism=COW, release="ensembl-115")
    second = corpuscle("build", recipe, "--json").json
    untouched = {"few": "unchanged", "symbols": "unchanged", "human": "unchanged"}
    assert statuses(second) == {**untouched, "all": "revised"}
    (change,) = corpuscle("diff", "atlas@1", "atlas@2", "--json").json["changed"]
    assert (change["dataset"], change["genes"]) == ("all", [60, 59])
    assert list(reasons(change)) == [f"genes:{COW}"]
    assert change["gene_changes"] == [{"gene": IDS[-1], "before": "S59", "after": ""}]
    assert "S59 -> none" in corpuscle("diff", "atlas@1", "atlas@2").out
    third = corpuscle("build", recipe, "--json").json
    assert statuses(third) == {**untouched, "all": "unchanged"}
    assert third["collection"] == {**second["collection"], "new": False}


def test_a_gene_release_touches_datasets_that_would_be_compared_by_other_genes(
    recipe: Path, tmp_path: Path, corpuscle: Callable[..., Done]
) -> None:
    table = tmp_path / "Bos_taurus.ARS-UCD1.3.114.gtf.gz"
    table.write_bytes(gzip.compress(gtf(IDS).encode()))
    add_genes(str(table), organism=COW)
    write_cow(tmp_path / "files" / "first.h5ad", IDS[:30], seed=1)
    write_cow(tmp_path / "files" / "last.h5ad", IDS[30:], seed=2)
    corpuscle("build", recipe)
    twin = gtf([*IDS, "ENSBTAG00000000099"]).replace('"S60"', '"S5"')
    table.write_bytes(gzip.compress(twin.encode()))
    add_genes(str(table), organism=COW, release="ensembl-115")
    second = corpuscle("build", recipe, "--json").json
    assert statuses(second) == {"first": "revised", "last": "unchanged"}


def test_a_reviewed_decision_touches_the_datasets_with_its_label(
    recipe: Path, tmp_path: Path, corpuscle: Callable[..., Done]
) -> None:
    write_h5ad(tmp_path / "files" / "a.h5ad", cell_types=("T cell", "Wibble cells"))
    write_h5ad(tmp_path / "files" / "b.h5ad", seed=1)
    write_h5ad(tmp_path / "files" / "c.h5ad", seed=2, cell_types=("Wibble cells",))
    corpuscle("build", recipe)
    sheet = tmp_path / "decided.csv"
    with sheet.open("w", newline="") as file:
        csv.writer(file).writerows(
            [("field", "label", "decision"), ("cell_type", "Wibble cells", "CL:0000236")]
        )
    done = corpuscle("review", "--apply", sheet, "--reviewer", "Ada")
    assert done.code == 0, done.err
    built = corpuscle("build", recipe, "--json").json
    assert statuses(built) == {"a": "revised", "b": "unchanged", "c": "revised"}
    changed = corpuscle("diff", "atlas@1", "atlas@2", "--json").json["changed"]
    assert [change["dataset"] for change in changed] == ["a", "c"]
    assert [reasons(change) for change in changed] == [{"decisions": ("none", "1")}] * 2
    assert [
        (label["label"], label["after"], label["n_cells"])
        for change in changed
        for label in change["labels"]
    ] == [("Wibble cells", "CL:0000236", 3), ("Wibble cells", "CL:0000236", 6)]


@pytest.mark.long
def test_an_ontology_release_touches_the_datasets_whose_labels_it_changes(
    recipe: Path,
    tmp_path: Path,
    workspace: Workspace,
    corpuscle: Callable[..., Done],
) -> None:
    write_h5ad(tmp_path / "files" / "new.h5ad", cell_types=("T cell", "cuboidal epithelial cell"))
    write_h5ad(tmp_path / "files" / "renamed.h5ad", cell_types=("CL:0000135", "B cell"), seed=1)
    write_h5ad(tmp_path / "files" / "same.h5ad", seed=2, tissue="lung", sex="female")
    words = ("build", recipe, "--home", workspace.folder)
    first = run_older(tmp_path, *words, terms=('_NEWEST = "7.1.0"', '_NEWEST = "7.0.0"'))
    assert set(statuses(first).values()) == {"new"}
    plan = corpuscle("build", recipe, "--dry-run", "--json").json
    touched = {"new": "planned", "renamed": "planned", "same": "unchanged"}
    assert statuses(plan) == touched
    second = corpuscle("build", recipe, "--json").json
    assert statuses(second) == {"new": "revised", "renamed": "revised", "same": "unchanged"}
    found = corpuscle("diff", "atlas@1", "atlas@2", "--json").json
    assert found["unchanged"] == 1
    of = {change["dataset"]: change for change in found["changed"]}
    before, after = ontology_versions("7.0.0")["CL"], ontology_versions()["CL"]
    for change in of.values():
        assert reasons(change)["ontology:CL"] == (before, after)
    (label,) = of["new"]["labels"]
    assert (label["label"], label["before"], label["after"]) == (
        "cuboidal epithelial cell",
        "",
        "CL:0020029",
    )
    (label,) = of["renamed"]["labels"]
    assert (label["before_name"], label["after_name"]) == ("fibrocyte", "circulating fibrocyte")
    shown = " ".join(corpuscle("diff", "atlas@1", "atlas@2").out.split())
    assert "fibrocyte -> circulating fibrocyte" in shown


@pytest.mark.long
def test_code_that_curates_otherwise_touches_every_dataset_and_other_code_none(
    recipe: Path,
    tmp_path: Path,
    workspace: Workspace,
    corpuscle: Callable[..., Done],
) -> None:
    write_h5ad(tmp_path / "files" / "a.h5ad")
    write_h5ad(tmp_path / "files" / "b.h5ad", seed=1)
    words = ("build", recipe, "--home", workspace.folder)
    older = (f'PROCESSING_VERSION = "{PROCESSING_VERSION}"', 'PROCESSING_VERSION = "0"')
    first = run_older(tmp_path / "older", *words, _dataset=older)
    assert set(statuses(first).values()) == {"new"}
    second = corpuscle("build", recipe, "--json").json
    assert set(statuses(second).values()) == {"revised"}
    changed = corpuscle("diff", "atlas@1", "atlas@2", "--json").json["changed"]
    assert [change["dataset"] for change in changed] == ["a", "b"]
    assert reasons(changed[0])["processing"] == ("0", PROCESSING_VERSION)
    other = ("    return release", '    return f"{release}.other"')
    third = run_older(tmp_path / "other", *words, _versions=other)
    assert set(statuses(third).values()) == {"unchanged"}
    assert third["collection"] == {**second["collection"], "new": False}
