from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..conftest import PARTS, cell_type, counts

if TYPE_CHECKING:
    from corpuscle.loaders import Corpus

pytestmark = pytest.mark.long
SCRIPT = Path(__file__).with_name("train_scvi.py")
TYPES = ("CL:0000084", "CL:0000236", "CL:0000540")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with scvi-tools, which brings xarray: an environment of its own."""
    if find_spec("scvi"):
        return sys.executable
    folder = tmp_path_factory.mktemp("scvi")
    venv.create(folder, with_pip=True, symlinks=True)
    made = str(folder / "bin" / "python")
    purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([made, "-c", purelib], check=True, capture_output=True, text=True)
    ours = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    Path(site.stdout.strip(), "ours.pth").write_text(ours)
    subprocess.run([made, "-m", "pip", "install", "--quiet", "scvi-tools>=1.4,<2"], check=True)
    return made


@pytest.mark.parametrize("batch_key", ["dataset", "sex"])
def test_scvi_trains_on_a_corpus(
    corpus: Corpus, tmp_path: Path, python: str, batch_key: str
) -> None:
    paths = {ref.uid: str(Path(ref.path).absolute()) for ref in corpus.datasets}
    (tmp_path / "corpus.json").write_text(json.dumps([corpus.to_manifest(), paths]))
    arguments: list[str | Path] = [
        tmp_path / "corpus.json",
        batch_key,
        tmp_path / "model",
        tmp_path / "out.json",
    ]
    done = subprocess.run(
        [python, SCRIPT, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "out.json").read_text())
    rows = [(i, part, row) for i, part in enumerate(PARTS) for row in range(part.n_cells)]
    labels = [cell_type(row) for _, _, row in rows]
    assert result["steps"] == 60
    assert sum(result["history"][-5:]) < sum(result["history"][:5])
    assert result["validated"] == 20
    assert (result["latent"], result["finite"]) == ([16, 3], True)
    assert result["same_after_loading"]
    assert result["X"] == sum(float(counts(part).sum()) for part in PARTS)
    assert result["labels"] == [TYPES.index(t) if t in TYPES else 3 for t in labels]
    if batch_key == "dataset":
        assert result["batches"] == [i for i, _, _ in rows]
        assert result["n"] == [12, 9, 3, 4]
    else:
        assert result["batches"] == [(1, 0, 2)[row % 3] for _, _, row in rows]
        assert result["n"] == [12, 9, 3, 4]
