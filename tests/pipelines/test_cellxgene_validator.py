"""CELLxGENE's own validator, in an environment of its own, looks at curated files."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import h5py
import pytest

from benchmarks.environments import python_of
from corpuscle.curation import CurationOptions, StructureOptions, curate
from corpuscle.pipelines.examples import write_mirrors

pytestmark = pytest.mark.long
REQUIREMENTS = ["cellxgene-schema==7.1.2"]
SCRIPT = Path(__file__).with_name("cellxgene_validate.py")
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cellxgene-schema.md"
REAL = (
    "human_lung_cxg_valid_schema7.labelled",
    "mouse_brain_cxg_merfish_schema5",
    "human_heart_cxg_messy_ontology_ids",
)
Said = dict[str, dict[str, dict[str, list[str]]]]


def documented() -> list[str]:
    rows = re.findall(r"^\| `(.+?)` \| .+ \|$", DOCUMENT.read_text(), re.MULTILINE)
    return [row.replace(r"\|", "|") for row in rows]


@pytest.fixture(scope="module")
def curated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every file of the example, and real ones where they are, curated; by schema or name."""
    folder = tmp_path_factory.mktemp("curated")
    places = write_mirrors(folder / "mirrors")
    paths = {}
    for path in sorted((places["cellxgene"] / "files").glob("*.h5ad")):
        with h5py.File(path) as file:
            uns: Any = file["uns"]
            paths[f"schema {uns['schema_version'].asstr()[()]}"] = path
    real = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "real" / "h5ad"
    paths |= {name: real / f"{name}.h5ad" for name in REAL if real.is_dir()}
    made = {name: folder / f"{name}.h5ad" for name in paths}
    options = CurationOptions(structure=StructureOptions())
    for name, path in paths.items():
        curate(path, made[name], dataset=name, source_hash="", options=options)
    return made


@pytest.fixture(scope="module")
def said(curated: dict[str, Path]) -> Said:
    """By file, as curated and as a submission: what the validator says."""
    try:
        python = python_of("cellxgene-schema", REQUIREMENTS)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"cellxgene-schema cannot be installed here: {error}")
    command = [str(python), "-W", "ignore", str(SCRIPT), *map(str, curated.values())]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={})
    found: Said = json.loads(done.stdout.splitlines()[-1])
    return found


def test_what_it_says_is_documented(said: Said) -> None:
    errors = {e for file in said.values() for form in file.values() for e in form["errors"]}
    assert [e for e in sorted(errors) if not any(re.search(d, e) for d in documented())] == []


def test_what_is_documented_it_says(said: Said) -> None:
    errors = [e for file in said.values() for form in file.values() for e in form["errors"]]
    assert [d for d in documented() if not any(re.search(d, e) for e in errors)] == []


@pytest.mark.parametrize("schema", ["5.0.0", "5.2.0", "6.0.0", "7.0.0", "7.1.0"])
def test_nothing_is_wrong_with_what_would_be_handed_in(said: Said, schema: str) -> None:
    assert said[f"schema {schema}"]["submission"]["errors"] == []


@pytest.mark.parametrize("name", REAL[:2])
def test_nothing_is_wrong_with_real_files_that_would_be_handed_in(
    said: Said, real_data: Path, name: str
) -> None:
    assert said[name]["submission"]["errors"] == []


def test_the_counts_were_looked_at(said: Said) -> None:
    warnings = said["schema 7.1.0"]["submission"]["warnings"]
    assert any(text.startswith("WARNING: Only raw data was found") for text in warnings)
