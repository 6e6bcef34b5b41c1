from __future__ import annotations

from pathlib import Path

import pytest

from corpuscle.curation import CurationOptions, QualityRules, StructureOptions
from corpuscle.errors import NotFoundError, SchemaError
from corpuscle.ontologies import get_organism
from corpuscle.pipelines.recipes import load_recipe

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "recipes"
SLURM = "engine: {dask: {slurm: {jobs: 1, cores: 1, "
GOOD = "name: small\nsources:\n  - source: tahoe\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (GOOD + "    tisue: lung\n", 4, "sources[0].tisue: a recipe has no key 'tisue' here"),
        (GOOD + "quellen: []\n", 4, "quellen: a recipe has no key"),
        (GOOD + "quality: {min_cels: 3}\n", 4, "quality.min_cels: a recipe has no key"),
        (GOOD + "quality:\n  n_mads: 5\n  min_cells: many\n", 6, "quality.min_cells: Input should"),
        (GOOD + "structure: {seeds: 3}\n", 4, "structure.seeds: a recipe has no key"),
        (GOOD + "quality:\n  n_mads: 5\n  drop: [tiny]\n", 6, "quality.drop: drop names 'tiny'"),
        (GOOD + "    quality: {n_mads: -1}\n", 4, "sources[0].quality.n_mads: n_mads is -1.0,"),
        (GOOD + "structure:\n  seed: -1\n", 5, "structure.seed: structure.seed is -1"),
        (GOOD + "? [a]\n: b\n", 4, "a key must be a word"),
        (GOOD + "curation:\n  columns:\n    colour: x\n", 4, "'colour' is no field"),
        (GOOD + "curation: {organism: human}\n", 4, "curation.organism: a recipe has no key"),
        (
            GOOD + "curation: {columns: {tissue: a}, constants: {tissue: b}}\n",
            4,
            "tissue is given both as column 'a' and as constant 'b'",
        ),
        (GOOD + "duplicates: remove\n", 4, "'remove'"),
        (GOOD + "splits: {by: cell, fractions: {a: 1}}\n", 4, "splits.by: Input should be 'donor'"),
        (GOOD + "splits:\n  by: donor\n  fractions: {a: 0.5, b: 0.4}\n", 6, "sum to 1, not 0.9"),
        (GOOD + "splits: {by: donor, fractions: {a: 1.5, b: -0.5}}\n", 4, "must be above 0"),
        (GOOD + "engine: {dask: {}}\n", 4, "either scheduler, an address, or slurm"),
        (GOOD + "engine: {local: {processes: 0}}\n", 4, "engine.local.processes"),
        (GOOD + SLURM + "memory: 240 gigs}}}\n", 4, "engine.dask.slurm.memory: String should"),
        (GOOD + SLURM + "memory: 2GB, walltime: 24h}}}\n", 4, "slurm.walltime: String should"),
        (GOOD + "engine: {}\n", 4, "engine needs either local or dask"),
        (GOOD + "  - source: nowhere\n", 4, "there is no source 'nowhere'"),
        (GOOD + "  - source: local\n", 4, "paths are for the source local"),
        (GOOD + "    paths: [a.h5ad]\n", 3, "paths are for the source local"),
        (GOOD + "  - {source: local, paths: a, tissue: lung}\n", 4, "tissue cannot choose among"),
        (GOOD + "    limit: 0\n", 4, "sources[0].limit"),
        (GOOD + "    released_before: soon\n", 4, "sources[0].released_before"),
        ("sources: [{source: tahoe}]\n", 1, "name: it is missing"),
        ("name: a/b\nsources: [{source: tahoe}]\n", 1, "name: String should match"),
        ("name: a\nsources: []\n", 2, "at least one source"),
        (GOOD + "name: other\n", 4, "the key is there twice, before in line 1"),
        (GOOD + "notes: [a\n", 5, "expected ',' or ']'"),
        ("name: &a x\nnotes: *a\n" + GOOD, 2, "write out what *a stands for"),
        (GOOD + "notes: !!python/object:os.system x\n", 4, "could not determine a constructor"),
        ("- a\n", 1, "valid dictionary"),
        ("", 1, "name: it is missing"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_key(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SchemaError) as caught:
        load_recipe(path)
    problems = caught.value.details["problems"]
    assert isinstance(problems, list)
    assert any(p.startswith(f"{path}:{line}:") and said in p for p in problems), problems
    assert str(path) in caught.value.message


def test_all_mistakes_are_told_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "name: a b\nsources:\n  - source: tahoe\n    x: 1\nquality: {drop: 3}\n")
    with pytest.raises(SchemaError, match="3 problems") as caught:
        load_recipe(path)
    problems = caught.value.details["problems"]
    assert isinstance(problems, list)
    assert [p.removeprefix(f"{path}:")[0] for p in problems] == ["1", "4", "5"]


def test_a_file_that_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"name: \xff\n")
    with pytest.raises(SchemaError, match="not UTF-8"):
        load_recipe(path)
    with pytest.raises(NotFoundError, match="no recipe"):
        load_recipe(tmp_path / "none.yaml")


def test_what_is_said_of_a_source_holds_before_what_is_said_of_all(tmp_path: Path) -> None:
    recipe = load_recipe(
        write(
            tmp_path,
            "name: a\n"
            "curation: {min_gene_share: 0.4, constants: {assay: x}}\n"
            "quality: {min_cells: 5, n_mads: 4}\n"
            "sources:\n"
            "  - {source: tahoe, curation: {min_gene_share: 0.2}, quality: {min_cells: 9}}\n"
            "  - {source: devatlas, structure: {seed: 3}}\n",
        )
    )
    tahoe, atlas = recipe.sources
    assert recipe.options(tahoe, "human") == CurationOptions(
        organism="human",
        min_gene_share=0.2,
        constants={"assay": "x"},
        quality=QualityRules(min_cells=9, n_mads=4),
    )
    assert recipe.options(atlas, None).structure == StructureOptions(seed=3)
    assert recipe.options(tahoe, None).structure is None


def test_a_rule_of_one_source_may_need_what_is_said_of_all(tmp_path: Path) -> None:
    text = GOOD + "    quality: {drop: [doublet]}\nquality: {doublets: true}\n"
    recipe = load_recipe(write(tmp_path, text))
    quality = recipe.options(recipe.sources[0], None).quality
    assert quality == QualityRules(doublets=True, drop=("doublet",))


def test_a_recipe_is_what_its_file_said_when_it_was_read(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    recipe = load_recipe(path)
    path.write_text("something else")
    assert recipe.text == GOOD


def test_the_hash_is_of_what_is_asked_not_of_how_it_is_written(tmp_path: Path) -> None:
    first = load_recipe(write(tmp_path, GOOD + "duplicates: drop\n")).hash
    again = write(tmp_path, "# x\nduplicates: drop\nsources: [{source: tahoe}]\nname: small\n")
    assert load_recipe(again).hash == first
    elsewhere = write(tmp_path, GOOD + "duplicates: drop\nengine: {local: {processes: 9}}\n")
    assert load_recipe(elsewhere).hash == first
    assert load_recipe(write(tmp_path, GOOD)).hash != first


def test_the_examples_are_recipes_and_the_large_one_names_its_17_organisms() -> None:
    assert load_recipe(EXAMPLES / "small.yaml").name == "small"
    recipe = load_recipe(EXAMPLES / "scprint2.yaml")
    assert [entry.source for entry in recipe.sources] == [
        "cellxgene",
        "tahoe",
        "scbasecount",
        "devatlas",
    ]
    organisms = [word for entry in recipe.sources for word in entry.organism]
    assert len({get_organism(word).taxon_id for word in organisms}) == 17
