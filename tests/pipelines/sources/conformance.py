"""What the tests of every source inherit."""

from __future__ import annotations

import contextlib
import pickle
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from corpuscle.curation import SourceFile, curate
from corpuscle.errors import CorpuscleError, InputError, NotFoundError
from corpuscle.pipelines.sources import Source, SourceDataset, Wanted, get_source
from corpuscle.pipelines.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corpuscle.pipelines.examples._cells import Truth


class _Handler(SimpleHTTPRequestHandler):
    """Serves a folder; ``/x`` is ``x.json`` where there is one, as an API would."""

    def translate_path(self, path: str) -> str:
        found = Path(super().translate_path(path))
        document = found.with_name(f"{found.name}.json")
        return str(document if document.is_file() else found)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving(folder: Path, seen: list[str] | None = None) -> Iterator[str]:
    """Serve a folder over HTTP on this machine; note in `seen` the paths whose content was read."""

    class Handler(_Handler):
        def do_GET(self) -> None:
            if seen is not None:
                seen.append(self.path)
            super().do_GET()

    def handler(*arguments: Any) -> Handler:
        return Handler(*arguments, directory=str(folder))

    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Conformance:
    """One interface, whatever the source."""

    name: ClassVar[str]
    """Of the source."""
    release: ClassVar[str | None] = None
    options: ClassVar[dict[str, str]] = {}
    versioned: ClassVar[bool] = True
    """Whether the source gives its datasets versions."""

    @staticmethod
    def write(folder: Path) -> dict[str, Truth]:
        """Write the example and tell what each dataset holds, by its id."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def example(cls, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Truth]]:
        folder = tmp_path_factory.mktemp(cls.name)
        return folder, cls.write(folder)

    def make(self, at: str, cache: Path, **changes: Any) -> Source:
        arguments: dict[str, Any] = {"release": self.release, "options": self.options, **changes}
        return get_source(self.name)(Transfer(cache=cache), at=at, **arguments)

    @pytest.fixture
    def source(self, example: tuple[Path, dict[str, Truth]], tmp_path: Path) -> Source:
        return self.make(str(example[0]), tmp_path / "cache")

    @pytest.fixture
    def listed(self, source: Source) -> list[SourceDataset]:
        return list(source.datasets(Wanted()))

    def test_it_says_what_it_is(self, source: Source) -> None:
        assert source.name == self.name
        for text in (source.title, source.licence, source.citation, source.homepage):
            assert text.strip()

    def test_every_dataset_is_listed_once_with_its_version_licence_and_citation(
        self, example: tuple[Path, dict[str, Truth]], listed: list[SourceDataset]
    ) -> None:
        assert {dataset.id for dataset in listed if not dataset.skip} == set(example[1])
        assert len({dataset.id for dataset in listed}) == len(listed)
        for dataset in listed:
            assert dataset.source == self.name
            assert bool(dataset.version) == self.versioned
            assert dataset.title
            assert dataset.licence
            assert dataset.citation
            assert dataset.skip or dataset.files
            assert dataset.skip or dataset.size is None or dataset.size > 0

    def test_it_is_listed_alike_each_time(
        self, source: Source, listed: list[SourceDataset]
    ) -> None:
        assert list(source.datasets(Wanted())) == listed

    def test_a_dataset_travels_between_processes(self, listed: list[SourceDataset]) -> None:
        for dataset in listed:
            assert pickle.loads(pickle.dumps(dataset)) == dataset

    def test_ids_choose(self, source: Source, listed: list[SourceDataset]) -> None:
        last = listed[-1].id
        assert [d.id for d in source.datasets(Wanted(ids=(last,)))] == [last]
        assert list(source.datasets(Wanted(ids=("no such id",)))) == []

    def test_organisms_choose(self, source: Source, listed: list[SourceDataset]) -> None:
        organisms = {term for dataset in listed for term in dataset.terms.get("organism", ())}
        for organism in organisms:
            chosen = list(source.datasets(Wanted(organism=organism)))
            assert chosen == [d for d in listed if organism in d.terms.get("organism", ())]
        assert list(source.datasets(Wanted(organism="NCBITaxon:10181"))) == []

    @pytest.mark.parametrize("field", ["tissue", "assay", "disease"])
    def test_terms_choose_what_is_known_to_have_them(
        self, source: Source, listed: list[SourceDataset], field: str
    ) -> None:
        for term in {term for dataset in listed for term in dataset.terms.get(field, ())}:
            chosen = list(source.datasets(Wanted(terms={field: (term,)})))
            assert set(chosen_ids(chosen)) >= {
                d.id for d in listed if term in d.terms.get(field, ())
            }

    def test_counts_arrive_to_the_last_one(
        self, example: tuple[Path, dict[str, Truth]], source: Source, tmp_path: Path
    ) -> None:
        import anndata

        for dataset in source.datasets(Wanted()):
            if dataset.skip:
                continue
            out = tmp_path / f"{dataset.id.replace('/', '_')}.h5ad"
            with source.fetch(dataset) as fetched:
                opened = source.open(dataset, [file.path for file in fetched])
                curate(opened, out, dataset=dataset.key, source_hash="")
            found: Any = anndata.read_h5ad(out)
            truth = example[1][dataset.id]
            rows = found.obs["source_row"].to_numpy()
            names = [truth.cells[row] for row in rows]
            assert all(map(str.startswith, found.obs_names, names))
            expected = np.asarray(truth.counts[rows].todense())
            places = found.var_names.get_indexer(list(truth.genes))
            assert (expected[:, places < 0] == 0).all()
            np.testing.assert_array_equal(
                np.asarray(found.X.todense())[:, places[places >= 0]], expected[:, places >= 0]
            )
            assert found.X.sum() == expected.sum()

    def test_small_chunks_hold_the_same(
        self, source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from scipy import sparse

        dataset = next(d for d in source.datasets(Wanted()) if not d.skip)
        with source.fetch(dataset) as fetched:
            paths = [file.path for file in fetched]
            whole = _counts(source.open(dataset, paths))
            monkeypatch.setattr("corpuscle.curation._matrix.CHUNK_VALUES", 500)
            parts = _counts(source.open(dataset, paths))
        assert len(parts) > len(whole)
        assert (sparse.vstack(parts) != sparse.vstack(whole)).nnz == 0

    def test_what_the_source_says_is_kept_as_evidence(self, source: Source, tmp_path: Path) -> None:
        dataset = next(d for d in source.datasets(Wanted()) if not d.skip)
        with source.fetch(dataset) as fetched:
            opened = source.open(dataset, [file.path for file in fetched])
            facts = opened.facts
            curated = curate(opened, tmp_path / "out.h5ad", dataset=dataset.key, source_hash="")
        by_source = curated.decisions[curated.decisions["method"] == "source"]
        said = set() if facts is None else {*facts.constants, *facts.terms}
        assert set(by_source["field"]) - {"organism"} <= said
        assert (by_source.loc[by_source["field"] != "organism", "comment"] != "").all()

    def test_over_http_it_is_the_same(
        self, example: tuple[Path, dict[str, Truth]], listed: list[SourceDataset], tmp_path: Path
    ) -> None:
        with serving(example[0]) as url:
            source = self.make(url, tmp_path / "http")
            remote = list(source.datasets(Wanted()))
            assert chosen_ids(remote) == chosen_ids(listed)
            for dataset, local in zip(remote, listed, strict=True):
                if not dataset.skip:
                    with source.fetch(dataset) as fetched:
                        for file, original in zip(fetched, local.files, strict=True):
                            here = Path(original.url.removeprefix("file://"))
                            assert file.path.read_bytes() == here.read_bytes()

    def test_a_cut_file_is_refused(self, source: Source, tmp_path: Path) -> None:
        dataset = next(d for d in source.datasets(Wanted()) if not d.skip)
        with source.fetch(dataset) as fetched:
            whole = [file.path for file in fetched]
            cut = tmp_path / whole[0].name
            cut.write_bytes(whole[0].read_bytes()[: whole[0].stat().st_size * 2 // 3])
            with pytest.raises(InputError, match=cut.name):
                curate(
                    source.open(dataset, [cut, *whole[1:]]),
                    tmp_path / "out.h5ad",
                    dataset=dataset.key,
                    source_hash="",
                )
        assert not (tmp_path / "out.h5ad").exists()

    def test_a_mirror_that_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        source = self.make(str(tmp_path / "nowhere"), tmp_path / "cache")
        with pytest.raises(CorpuscleError, match="nowhere"):
            list(source.datasets(Wanted()))

    def test_unknown_releases_and_choices_are_refused(
        self, example: tuple[Path, dict[str, Truth]], tmp_path: Path
    ) -> None:
        with pytest.raises(NotFoundError, match="1999-01-01"):
            list(self.make(str(example[0]), tmp_path, release="1999-01-01").datasets(Wanted()))
        with pytest.raises(InputError, match="colour"):
            self.make(str(example[0]), tmp_path, options={"colour": "red"})


def chosen_ids(datasets: list[SourceDataset]) -> list[str]:
    return [dataset.id for dataset in datasets]


def _counts(source: SourceFile) -> list[Any]:
    with source:
        (first, *_) = source.matrices.values()
        return [rows for _, rows in first.chunks()]
