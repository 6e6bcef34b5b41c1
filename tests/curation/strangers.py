"""A valid file, ways to spoil it, and what a refusal must say."""

from __future__ import annotations

import re
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from corpuscle.curation import CurationOptions, curate
from corpuscle.errors import CorpuscleError, InputError
from corpuscle.ontologies import gene_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

N_CELLS, N_GENES = 6, 40
COUNTS = np.random.default_rng(0).poisson(1.5, (N_CELLS, N_GENES)).astype(np.float32)
COUNTS[0, 0] = 300
NEXT = re.compile(
    r"\b(write|fetch|leave|pass|provide|choose|copy|put|open|install|split|take|state|name|map|"
    r"shorten|convert|check|add|run|give|set|correct)\b",
    re.IGNORECASE,
)
"""Words of a next step."""


class Case(NamedTuple):
    """A way to spoil a file, and how that is refused."""

    name: str
    spoil: Callable[..., Any]
    error: type[InputError]
    says: str
    """A pattern for the message."""


def cases(*rows: Any) -> pytest.MarkDecorator:
    """Parametrise over cases, with their names as ids; each name is there once."""
    found = [Case(*row) for row in rows]
    assert len({case.name for case in found}) == len(found)
    return pytest.mark.parametrize("case", found, ids=[case.name for case in found])


@cache
def human_ids(n: int = N_GENES) -> list[str]:
    """Ids of human genes, ascending."""
    return list(gene_table("human").index[:n])


def example(x: Any = None, **parts: Any) -> anndata.AnnData:
    """Six cells by forty genes."""
    x = sparse.csr_matrix(COUNTS) if x is None else x
    obs = pd.DataFrame(
        {"cell_type": pd.Categorical(["B cell", "T cell"] * (N_CELLS // 2)), "n": range(N_CELLS)},
        index=[f"cell{i}" for i in range(N_CELLS)],
    ).iloc[: x.shape[0]]
    var = pd.DataFrame({"note": "x"}, index=pd.Index(human_ids(x.shape[1]), dtype=object))
    return anndata.AnnData(x, obs=obs, var=var, **parts)


def write(adata: anndata.AnnData, path: Path, *, zarr_format: int = 3, **options: Any) -> Path:
    """Write as h5ad or zarr, by the ending."""
    with warnings.catch_warnings(), anndata.settings.override(zarr_write_format=zarr_format):
        warnings.simplefilter("ignore")
        if path.suffix == ".zarr":
            adata.write_zarr(path, **options)
        else:
            adata.write_h5ad(path, **options)
    return path


def hdf5(path: Path) -> Any:
    """Open for writing, without types: what is inside is known here."""
    return h5py.File(path, "r+")


def replace(group: Any, key: str, values: Any) -> None:
    """Put other values in the place of an array, with its attributes."""
    kept = dict(group[key].attrs)
    del group[key]
    group[key] = values
    group[key].attrs.update(kept)


def assert_refused(path: Path, case: Case, out: Path, **options: Any) -> None:
    """Curate: the error is typed, names the file and a next step, and nothing is left behind."""
    with pytest.raises(CorpuscleError) as refused:
        curate(path, out, dataset="d", source_hash="h", options=CurationOptions(**options))
    error = refused.value
    assert type(error) is case.error, error
    assert str(path) in error.message
    assert re.search(case.says, error.message), error.message
    assert NEXT.search(error.message.replace(str(path), "")), error.message
    assert "file" in error.details
    assert not out.parent.exists() or not list(out.parent.iterdir())
