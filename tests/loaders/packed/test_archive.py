"""Files that were written by earlier versions are read for ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpuscle.loaders import PackedCorpus, verify_packed
from corpuscle.loaders._form import Form

from .write_archive import write

ARCHIVE = Path(__file__).with_name("archive-1")
CODECS = pytest.mark.parametrize("codec", ["plain", "zstd"])


@CODECS
def test_the_archive_holds_what_was_written(codec: str) -> None:
    wanted = json.loads((ARCHIVE / "expected.json").read_text())["cells"]
    packed = PackedCorpus.open(ARCHIVE / codec)
    batch: Any = packed.read(
        range(packed.n_cells), output="dense", labels=["cell_type"], obsm=["neighbors"]
    )
    counts = [
        {packed.genes[i]: float(row[i]) for i in row.nonzero()[0]} for row in batch["X"].numpy()
    ]
    assert counts == [cell["counts"] for cell in wanted]
    assert batch["cell_type"].tolist() == [cell["cell_type"] for cell in wanted]
    assert batch["obsm_neighbors"][:, 0].tolist() == [cell["neighbor"] for cell in wanted]
    datasets, rows = packed.reader(Form()).locate(np.arange(packed.n_cells))
    names = [packed.corpus.datasets[i].key for i in datasets.tolist()]
    assert names == [cell["dataset"] for cell in wanted]
    assert rows.tolist() == [cell["row_of_file"] for cell in wanted]
    stated = packed.to_anndata(range(packed.n_cells)).obs["is_primary_data"]
    assert [None if v != v else str(v) for v in stated] == [
        None if cell["is_primary_data"] is None else "True" for cell in wanted
    ]


@CODECS
def test_every_byte_of_the_archive_is_as_it_was(codec: str) -> None:
    assert verify_packed(ARCHIVE / codec)["n_cells"] == 14


def test_the_same_cells_are_the_same_bytes_today(tmp_path: Path) -> None:
    """Of zstd, the version may differ: its content was compared above."""
    write(tmp_path)
    for name in ("plain", "zstd"):
        now, then = (sorted((root / name / "shards").iterdir()) for root in (tmp_path, ARCHIVE))
        assert [path.name for path in now] == [path.name for path in then]
        if name == "plain":
            assert [path.read_bytes() for path in now] == [path.read_bytes() for path in then]
    assert (tmp_path / "expected.json").read_text() == (ARCHIVE / "expected.json").read_text()
