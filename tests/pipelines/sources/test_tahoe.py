"""Tahoe-100M through the interface of all sources."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from corpuscle.errors import InputError, IntegrityError, NotFoundError, SchemaError
from corpuscle.pipelines.examples._tahoe import (
    COMMIT,
    REPO,
    SHARDS,
    write_tahoe,
    write_tahoe_shards,
)
from corpuscle.pipelines.sources import SourceDataset, Wanted, get_source
from corpuscle.pipelines.sources._tahoe import N_CELLS
from corpuscle.pipelines.transfer import Transfer

from .conformance import Conformance, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corpuscle.pipelines.sources import Source


class TestPlates(Conformance):
    name = "tahoe"
    write = staticmethod(write_tahoe)


class TestShards(Conformance):
    name = "tahoe"
    options: ClassVar[dict[str, str]] = {"form": "parquet"}
    write = staticmethod(write_tahoe_shards)

    def make(self, at: str, cache: Path, **changes: Any) -> Source:
        return super().make(f"{at}/{SHARDS}", cache, **changes)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tahoe")
    write_tahoe(folder)
    return folder


@pytest.fixture
def copy(example: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(example, tmp_path / "copy"))


def _listed(at: str | Path, wanted: Wanted | None = None, **options: str) -> list[SourceDataset]:
    transfer = Transfer(cache=Path(str(at)).parent / "cache")
    source = get_source("tahoe")(transfer, at=str(at), options=options)
    return list(source.datasets(wanted or Wanted()))


@pytest.fixture
def hub(copy: Path, tmp_path: Path) -> Iterator[Callable[..., list[SourceDataset]]]:
    """List the shards of a hub on this machine."""
    with serving(copy) as url:

        def listed(revision: str = "main") -> list[SourceDataset]:
            at = f"{url}/datasets/{REPO}/resolve/{revision}"
            transfer = Transfer(cache=tmp_path / "hub")
            source = get_source("tahoe")(transfer, at=at, options={"form": "parquet"})
            return list(source.datasets(Wanted()))

        yield listed


def _describe(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what the hub says of its files."""
    path = folder / "api" / "datasets" / REPO / "revision" / "main.json"
    document = json.loads(path.read_text())
    changed = change(document)
    path.write_text(json.dumps(document if changed is None else changed))


def test_files_are_the_same_bytes_each_time(example: Path, tmp_path: Path) -> None:
    write_tahoe(tmp_path / "again")
    files = sorted(path.relative_to(example) for path in example.rglob("*") if path.is_file())
    assert len(files) == 14
    for name in files:
        found = [
            hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for folder in (example, tmp_path / "again")
        ]
        assert found[0] == found[1], name


def test_there_are_fourteen_plates_and_those_that_are_not_here_say_so(example: Path) -> None:
    listed = _listed(example)
    assert [dataset.id for dataset in listed] == [f"plate{number}" for number in N_CELLS]
    assert [dataset.id for dataset in listed if not dataset.skip] == ["plate1", "plate2"]
    assert "not in" in listed[-1].skip


def test_a_plate_has_the_address_that_the_publisher_gave_it(example: Path) -> None:
    first, *tables = _listed(example)[0].files
    assert first.url == (
        f"{example}/2025-02-25/h5ad/plate1_filt_Vevo_Tahoe100M_WServicesFrom_ParseGigalab.h5ad"
    )
    assert [Path(table.url).name.removesuffix("_metadata.parquet") for table in tables] == [
        "gene",
        "sample",
        "drug",
        "cell_line",
    ]


def test_diseases_and_lines_choose_plates_before_reading(example: Path) -> None:
    wanted = Wanted(terms={"disease": ("MONDO:0005061",), "tissue": ("CVCL_0023",)})
    assert len(_listed(example, wanted)) == 14
    assert _listed(example, Wanted(terms={"disease": ("MONDO:0100096",)})) == []


def test_the_assay_is_found_by_the_terms_above_it(example: Path) -> None:
    assert _listed(example, Wanted(terms={"assay": ("EFO:0009919",)}))  # SPLiT-seq
    assert not _listed(example, Wanted(terms={"assay": ("EFO:0009922",)}))  # 10x 3' v3


def test_full_cells_are_another_version(example: Path) -> None:
    every, full = (_listed(example, cells=cells)[0] for cells in ("all", "full"))
    assert every.key == full.key == "tahoe/plate1"
    assert every.version != full.version


def test_another_content_is_another_version(copy: Path) -> None:
    before = _listed(copy)[0].version
    path = copy / "2025-02-25" / "metadata" / "drug_metadata.parquet"
    path.write_bytes(path.read_bytes() + b"\0")
    assert _listed(copy)[0].version != before


def test_shards_say_that_plates_hold_their_cells(example: Path) -> None:
    plates, shards = _listed(example), _listed(example / SHARDS, form="parquet")
    assert set(shards[0].links) <= set(plates[0].aliases)


def test_a_plate_without_its_tables_is_not_listed(copy: Path) -> None:
    (copy / "2025-02-25" / "metadata" / "sample_metadata.parquet").unlink()
    with pytest.raises(NotFoundError, match="sample_metadata"):
        _listed(copy)


def test_a_hub_is_asked_for_the_commit_and_its_hashes(
    copy: Path, hub: Callable[..., list[SourceDataset]]
) -> None:
    listed = hub()
    assert [dataset.id for dataset in listed] == ["train-00000-of-00002", "train-00001-of-00002"]
    for file in listed[0].files:
        name = file.url.partition(f"/resolve/{COMMIT}/")[2]
        content = (copy / SHARDS / name).read_bytes()
        assert file.checksum == f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert file.size == len(content)


def test_a_shard_that_is_not_what_the_hub_says_is_refused(
    copy: Path, hub: Callable[..., list[SourceDataset]], tmp_path: Path
) -> None:
    dataset = hub()[0]
    path = copy / SHARDS / "data" / "train-00000-of-00002.parquet"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with (
        pytest.raises(IntegrityError, match="train-00000"),
        Transfer(cache=tmp_path / "fetched").fetch(dataset.files),
    ):
        pass


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["siblings"] = [s for s in document["siblings"] if name not in s["rfilename"]]

    return change


def _named(name: str) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["siblings"].append({"rfilename": name, "size": 1})

    return change


ANSWERS: dict[str, tuple[type[Exception], str, Callable[[dict[str, Any]], object]]] = {
    "a list": (SchemaError, "does not describe a dataset: TypeError", lambda d: [d]),
    "no files": (SchemaError, "KeyError: 'siblings'", lambda d: d.pop("siblings") and None),
    "files as text": (SchemaError, "TypeError", lambda d: {**d, "siblings": ["data/x.parquet"]}),
    "no commit": (SchemaError, "KeyError: 'sha'", lambda d: d.pop("sha") and None),
    "a commit that leads elsewhere": (
        SchemaError,
        "is no commit",
        lambda d: {**d, "sha": "../../../etc"},
    ),
    "a size that is none": (
        SchemaError,
        "ValueError",
        lambda d: {**d, "siblings": [{"rfilename": "data/x.parquet", "size": "big"}]},
    ),
    "a shard missing": (SchemaError, "has 1 shards.* parts of 2", _without("train-00001")),
    "a shard called otherwise": (
        SchemaError,
        "'data/part-0.parquet'",
        _named("data/part-0.parquet"),
    ),
    "a shard outside": (
        SchemaError,
        "not called train-NNNNN-of-NNNNN",
        _named("data/../../train-00000-of-00002.parquet"),
    ),
    "shards of another cut": (
        SchemaError,
        "parts of 2 and 3",
        _named("data/train-00002-of-00003.parquet"),
    ),
    "no shards": (NotFoundError, "no shards of Tahoe-100M", _without("data/")),
    "no samples": (NotFoundError, "has no metadata/sample_metadata.parquet", _without("sample")),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_other_answers_of_a_hub_are_refused(
    copy: Path, hub: Callable[..., list[SourceDataset]], case: str
) -> None:
    kind, said, change = ANSWERS[case]
    _describe(copy, change)
    with pytest.raises(kind, match=said):
        hub()


def test_an_answer_that_is_no_json_is_refused(
    copy: Path, hub: Callable[..., list[SourceDataset]]
) -> None:
    (copy / "api" / "datasets" / REPO / "revision" / "main.json").write_text("<html>")
    with pytest.raises(SchemaError, match="JSONDecodeError"):
        hub()


def test_a_web_page_that_is_no_hub_is_refused(example: Path) -> None:
    with serving(example) as url, pytest.raises(InputError, match="is no place of a hub"):
        _listed(f"{url}/{SHARDS.partition('/')[2]}", form="parquet")


def test_a_folder_may_hold_some_of_the_shards(copy: Path) -> None:
    (copy / SHARDS / "data" / "train-00001-of-00002.parquet").unlink()
    listed = _listed(copy / SHARDS, form="parquet")
    assert [dataset.id for dataset in listed] == ["train-00000-of-00002"]


def test_shards_in_folders_of_a_folder_are_refused(copy: Path) -> None:
    data = copy / SHARDS / "data"
    (data / "old").mkdir()
    (data / "train-00001-of-00002.parquet").rename(data / "old" / "train-00001-of-00002.parquet")
    with pytest.raises(SchemaError, match="'data/old/train-00001"):
        _listed(copy / SHARDS, form="parquet")
