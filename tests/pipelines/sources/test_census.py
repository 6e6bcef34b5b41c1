from __future__ import annotations

from pathlib import Path  # noqa: TC003 # a fixture
from typing import TYPE_CHECKING, ClassVar

import pytest
from scipy import sparse

from corpuscle.pipelines.examples._cells import Truth
from corpuscle.pipelines.examples._census import write_census
from corpuscle.pipelines.sources import Wanted

from .census import read
from .conformance import Conformance, serving

if TYPE_CHECKING:
    from corpuscle.pipelines.sources import Source, SourceDataset

pytest.importorskip("cellxgene_census")


class TestCensusFiles(Conformance):
    name = "cellxgene-census"
    write = staticmethod(write_census)


PRIMARY = "3b578d0d"
"""Ends the id of slices of all primary cells, whatever the build."""


def write_and_slice(folder: Path) -> dict[str, Truth]:
    """Write the example and tell what primary cells the package itself reads from it."""
    write_census(folder)
    truths = {}
    for organism in ("homo_sapiens", "mus_musculus"):
        adata = read(folder, organism, "is_primary_data == True")
        names = adata.obs["dataset_id"].astype(str) + ":" + adata.obs["observation_joinid"]
        truths[f"{organism}-{PRIMARY}"] = Truth(
            counts=sparse.csr_matrix(adata.X),
            cells=tuple(names),
            genes=tuple(adata.var["feature_id"]),
        )
    return truths


class TestCensusSlices(Conformance):
    name = "cellxgene-census"
    options: ClassVar[dict[str, str]] = {"form": "slice"}
    write = staticmethod(write_and_slice)

    @pytest.mark.parametrize("field", ["tissue", "assay", "disease"])
    def test_terms_choose_what_is_known_to_have_them(
        self, source: Source, listed: list[SourceDataset], field: str
    ) -> None:
        for term in {term for dataset in listed for term in dataset.terms[field]}:
            chosen = list(source.datasets(Wanted(terms={field: (term,)})))
            organisms = {d.terms["organism"] for d in chosen}
            assert organisms == {d.terms["organism"] for d in listed if term in d.terms[field]}
            assert not {d.id for d in chosen} & {d.id for d in listed}

    def test_over_http_it_is_the_same(
        self,
        example: tuple[Path, dict[str, Truth]],
        listed: list[SourceDataset],
        tmp_path: Path,
    ) -> None:
        source = self.make(str(example[0]), tmp_path / "local")
        with serving(example[0]) as url:
            remote = self.make(url, tmp_path / "http")
            assert list(remote.datasets(Wanted())) == listed
            for dataset in listed:
                with remote.fetch(dataset) as there, source.fetch(dataset) as here:
                    assert there[0].hash == here[0].hash
