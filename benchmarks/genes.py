"""How many names of real gene lists lead to the right gene, and how many to a wrong one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from corpuscle.ontologies import gene_table, resolve_genes

from .environments import measure
from .result import Goal, Result

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
ENSEMBL_84 = "references/ensembl84_10x_ids_to_symbols.csv"
TAHOE = "real/tahoe/gene_metadata.parquet"
BIONTY = Path(__file__).with_name("_genes_bionty.py")


def run(*, quick: bool, data: Path | None = None) -> Result:
    """Resolve 10x's gene list of Ensembl 84 by id and by symbol, and Tahoe's by symbol.

    Parameters
    ----------
    quick
        Leave out bionty, which needs a registry.
    data
        Folder with `ENSEMBL_84` and `TAHOE`.
    """
    lists = _read(data or DATA)
    started = time.perf_counter()
    resolve_genes([], organism="human")
    figures = {"loading the human table, s": time.perf_counter() - started}
    table = gene_table("human")
    baselines: dict[str, Callable[[pd.Series[str]], pd.Series[str]]] = {
        "exact": lambda texts: _exact(texts, table),
        "first hit": lambda texts: _first(texts, table, fold=False),
        "upper case, first hit": lambda texts: _first(texts, table, fold=True),
    }
    for name, (texts, truth) in lists.items():
        started = time.perf_counter()
        ours = resolve_genes(list(texts), organism="human")
        figures[f"{name}: seconds"] = time.perf_counter() - started
        figures[f"{name}: truth is known, %"] = 100 * float(truth.notna().mean())
        ambiguous = float((ours["outcome"] == "ambiguous").mean())
        figures |= _score(f"{name}: corpuscle", ours["gene_id"], truth, ambiguous)
        for baseline, answer in baselines.items():
            figures |= _score(f"{name}: {baseline}", answer(texts), truth)
        if not quick:
            figures |= _score(f"{name}: bionty standardize", _bionty(texts), truth)
    return Result(
        benchmark="genes",
        figures=figures,
        goals=[
            _at_most(figures, "Ensembl 84 ids: corpuscle, wrong %", 0.05),
            _at_most(figures, "Ensembl 84 symbols: corpuscle, wrong %", 0.3),
            Goal(
                name="Ensembl 84 symbols: corpuscle, resolved %",
                value=figures["Ensembl 84 symbols: corpuscle, resolved %"],
                goal=96.0,
            ),
            _at_most(figures, "Tahoe symbols: corpuscle, wrong", 0),
        ],
        notes=(
            "Truth: the id of the row if it is current, else the one gene that replaced it. Rows "
            "whose id has no successor have no truth: what is answered there is 'unchecked'. The "
            "symbols of Ensembl 84 are a source of our table; docs/design/0005-genes.md tells what "
            "is reached without them."
        ),
    )


def _read(folder: Path) -> dict[str, tuple[pd.Series[str], pd.Series[str]]]:
    """Read the lists: texts, and the true gene of each."""
    missing = [str(folder / name) for name in (ENSEMBL_84, TAHOE) if not (folder / name).exists()]
    if missing:
        msg = f"The benchmark needs {' and '.join(missing)}. Name their folder with --data."
        raise SystemExit(msg)
    old = pd.read_csv(
        folder / ENSEMBL_84, names=["id", "symbol"], header=0, dtype=str, keep_default_na=False
    )
    tahoe = pd.read_parquet(folder / TAHOE)
    return {
        "Ensembl 84 ids": (old["id"], _truth(old["id"])),
        "Ensembl 84 symbols": (old["symbol"], _truth(old["id"])),
        "Tahoe symbols": (tahoe["gene_symbol"], _truth(tahoe["ensembl_id"])),
    }


def _truth(ids: pd.Series[str]) -> pd.Series[str]:
    """Give the gene that an id is now, without asking what is measured."""
    every = gene_table("human", retired=True)
    now = {
        gene: gene if status == "current" else after[0] if len(after) == 1 else None
        for gene, status, after in zip(
            every.index, every["status"], every["replaced_by"], strict=True
        )
    }
    return ids.map(now)


def _exact(texts: pd.Series[str], table: pd.DataFrame) -> pd.Series[str]:
    symbols = table["symbol"].dropna()
    genes = pd.Series(symbols.index, index=symbols.to_numpy())
    genes = genes[~genes.index.duplicated(keep=False)]
    return texts.where(texts.isin(table.index), texts.map(genes))


def _first(texts: pd.Series[str], table: pd.DataFrame, *, fold: bool) -> pd.Series[str]:
    symbols = table["symbol"].dropna()
    names = symbols.str.upper() if fold else symbols
    genes = pd.Series(symbols.index, index=names.to_numpy())
    genes = genes[~genes.index.duplicated()]
    asked = texts.str.upper() if fold else texts
    return texts.where(texts.isin(table.index), asked.map(genes))


def _bionty(texts: pd.Series[str]) -> pd.Series[str]:
    import json
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "texts.json"
        asked.write_text(json.dumps(list(texts)))
        answers = measure(BIONTY, str(asked), folder)["answers"]
    return texts.where(texts.isin(gene_table("human").index), pd.Series(answers, dtype=object))


def _score(
    name: str, answers: pd.Series[str], truth: pd.Series[str], ambiguous: float | None = None
) -> dict[str, float]:
    given = answers.notna().to_numpy()
    known = truth.notna().to_numpy()
    wrong = given & known & (answers.to_numpy() != truth.to_numpy())
    figures = {
        f"{name}, resolved %": 100 * float(np.mean(given)),
        f"{name}, wrong %": 100 * float(np.mean(wrong)),
        f"{name}, wrong": float(wrong.sum()),
        f"{name}, unchecked %": 100 * float(np.mean(given & ~known)),
    }
    if ambiguous is not None:
        figures[f"{name}, ambiguous %"] = 100 * ambiguous
        figures[f"{name}, unknown %"] = 100 * (float(np.mean(~given)) - ambiguous)
    return figures


def _at_most(figures: dict[str, float], name: str, goal: float) -> Goal:
    return Goal(name=name, value=figures[name], goal=goal, at_most=True)
