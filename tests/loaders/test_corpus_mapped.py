"""Labels of `Corpus.mapped`: class integers of the corpus, and what is missing."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from torch.utils.data import DataLoader

from corpuscle.errors import SchemaError
from corpuscle.loaders import Corpus, DatasetRef

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CELL_TYPE, SEX = "cell_type_ontology_term_id", "sex_ontology_term_id"
LABELS = ("CL:0000236", None, "unknown", "CL:0000084")


@pytest.fixture(scope="module", params=["h5ad", "zarr"])
def uneven(tmp_path_factory: pytest.TempPathFactory, request: Any) -> Corpus:
    """Two files of four cells; the second has neither cell types nor depth."""
    folder = tmp_path_factory.mktemp("uneven")
    obs = pd.DataFrame(
        {
            CELL_TYPE: pd.Categorical(LABELS, ["CL:0000084", "CL:0000236", "CL:9", "unknown"]),
            SEX: pd.Categorical(["PATO:0000383"] * 4),
            "depth": [7, 5, 3, 1],
            "n_maybe": pd.array([1, None, 3, 4], dtype="Int64"),
            "good": [True, False, True, True],
            "donor": ["b", "a", "b", "c"],
        },
        index=list("abcd"),
    )
    paths = []
    for name, table in (("one", obs), ("two", obs.drop(columns=[CELL_TYPE, "depth"]))):
        data = ad.AnnData(sparse.csr_matrix(np.eye(4, dtype=np.float32)), obs=table)
        data.var_names = [f"ENSG{i}" for i in range(4)]
        paths.append(folder / f"{name}.{request.param}")
        write = data.write_h5ad if request.param == "h5ad" else data.write_zarr
        with (
            warnings.catch_warnings(),
            ad.settings.override(zarr_write_format=3, auto_shard_zarr_v3=True),
        ):
            warnings.simplefilter("ignore")  # plans for formats
            write(paths[-1])
    return corpus_of(paths)


def corpus_of(paths: Sequence[Path]) -> Corpus:
    return Corpus(
        name="uneven",
        version="1",
        uid="uneven0001",
        datasets=tuple(
            DatasetRef(uid=p.stem, key=p.name, path=str(p), n_cells=4, organism="NCBITaxon:9606")
            for p in paths
        ),
        classes={"cell_type": ("CL:0000540", "CL:0000084", "CL:0000236"), "sex": ("PATO:0000383",)},
    )


def column(corpus: Corpus, key: str, **options: Any) -> list[Any]:
    with corpus.mapped(obs_keys=[key], **options) as mapped:
        return [sample[key] for sample in mapped.__getitems__(list(range(8)))]


def test_cells_without_a_label_and_files_without_the_column_get_minus_one(uneven: Corpus) -> None:
    assert column(uneven, CELL_TYPE) == [2, -1, -1, 1, -1, -1, -1, -1]


def test_integers_of_classes_are_those_of_the_corpus_whatever_the_files_hold(
    uneven: Corpus,
) -> None:
    more = replace(uneven, classes={"cell_type": ("CL:0000236", "CL:1", "CL:2", "CL:0000084")})
    assert column(more, CELL_TYPE)[:4] == [0, -1, -1, 3]


def test_numbers_stay_numbers(uneven: Corpus) -> None:
    assert column(uneven, "depth")[:4] == [7, 5, 3, 1]
    assert np.isnan(column(uneven, "depth")[4:]).all()
    assert column(uneven, "good")[:4] == [True, False, True, True]
    assert np.isnan(column(uneven, "n_maybe")[1])
    assert column(uneven, "n_maybe")[2:4] == [3, 4]


def test_numbers_are_encoded_when_that_is_asked_for(uneven: Corpus) -> None:
    assert column(uneven, "depth", encode_labels=["depth"]) == [3, 2, 1, 0, -1, -1, -1, -1]


def test_labels_that_are_not_encoded_are_words_and_nan(uneven: Corpus) -> None:
    words = column(uneven, CELL_TYPE, encode_labels=False)
    assert words[0] == "CL:0000236"
    assert all(word is np.nan for word in [words[1], *words[4:]])


def test_batches_that_mix_files_are_collated(uneven: Corpus) -> None:
    with uneven.mapped(obs_keys=[CELL_TYPE, "depth", "donor"]) as mapped:
        batch: Any = next(iter(DataLoader(mapped, batch_size=8)))
    assert batch[CELL_TYPE].tolist() == [2, -1, -1, 1, -1, -1, -1, -1]
    assert batch["donor"].tolist() == [1, 0, 1, 2, 1, 0, 1, 2]
    assert batch["depth"][:4].tolist() == [7, 5, 3, 1]


@pytest.mark.parametrize("encode_labels", [True, False])
@pytest.mark.parametrize("cache_categories", [True, False])
def test_a_batch_as_arrays_holds_what_the_samples_hold(
    uneven: Corpus, encode_labels: bool, cache_categories: bool
) -> None:
    keys = [CELL_TYPE, SEX, "depth", "n_maybe", "good", "donor"]
    asked = [5, 0, 3, 3, -1, 1, 4]
    options: dict[str, Any] = {"encode_labels": encode_labels, "cache_categories": cache_categories}
    with uneven.mapped(obs_keys=keys, **options) as mapped:
        batch, samples = mapped.read_batch(asked), mapped.__getitems__(asked)
    np.testing.assert_array_equal(batch["X"].toarray(), [sample["X"] for sample in samples])
    for key in ["_store_idx", *keys]:
        pd.testing.assert_series_equal(
            pd.Series(list(batch[key])),
            pd.Series([s[key] for s in samples]),
            check_dtype=False,
            check_exact=True,
        )
    assert batch[SEX].dtype == (np.int64 if encode_labels else object)


def test_an_empty_batch_has_arrays_without_cells(uneven: Corpus) -> None:
    with uneven.mapped(obs_keys=[CELL_TYPE]) as mapped:
        batch = mapped.read_batch([])
    assert batch["X"].shape == (0, 4)
    assert batch[CELL_TYPE].shape == (0,)


def test_weights_have_one_entry_per_cell_though_a_file_lacks_the_column(uneven: Corpus) -> None:
    with uneven.mapped(obs_keys=[CELL_TYPE, "donor"]) as mapped:
        weights = mapped.get_label_weights(CELL_TYPE)
    # nan of the first file and of the four cells of the second are five
    assert weights.tolist() == [1, 1 / 5, 1, 1, *[1 / 5] * 4]


def test_a_column_of_labels_without_categories_is_refused(uneven: Corpus, tmp_path: Path) -> None:
    data = ad.AnnData(np.eye(4, dtype=np.float32))
    data.obs[CELL_TYPE] = [1.0, 2.0, 3.0, 4.0]
    data.write_h5ad(tmp_path / "numbers.h5ad")
    del uneven
    with pytest.raises(SchemaError, match="no categories"):
        corpus_of([tmp_path / "numbers.h5ad"]).mapped(
            obs_keys=[CELL_TYPE], encode_labels=[CELL_TYPE]
        )
