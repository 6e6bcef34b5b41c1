from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .conftest import write_h5ad

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from .conftest import Done

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_first_success_of_the_readme_is_one(
    corpuscle: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    write_h5ad(files / "a.h5ad", n_cells=300)
    write_h5ad(files / "m.h5ad", n_cells=300, organism="mouse", seed=1)
    assert corpuscle("ingest", files).code == 0
    assert corpuscle("collect", "atlas").code == 0
    monkeypatch.chdir(tmp_path)
    assert corpuscle("pack", "atlas", "--out", "packed").code == 0
    first, packed = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    exec(compile(first, "README.md", "exec"), {})
    names: dict[str, Any] = {}
    exec(compile(packed, "README.md", "exec"), names)
    assert sum(len(batch["row"]) for batch in names["loader"]) == 600
    lineage = corpuscle("lineage", "model", "cell-types", "--json").json
    assert {(row["dataset"], row["exposures"]) for row in lineage["rows"]} == {
        ("a", 300),
        ("m", 300),
    }
