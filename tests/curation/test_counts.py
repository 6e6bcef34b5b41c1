from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from corpuscle.curation import _matrix, check_counts, find_counts, open_source
from corpuscle.curation._matrix import Matrix, in_memory
from corpuscle.errors import CountsError

if TYPE_CHECKING:
    from collections.abc import Callable


def matrix_of(values: Any) -> Matrix:
    return Matrix(
        path=Path("file.h5ad"),
        name="X",
        shape=values.shape,
        dtype=values.dtype,
        var=pd.DataFrame(index=[f"gene{j}" for j in range(values.shape[1])]),
        open=in_memory(values),
    )


TYPES = ("i1", "u1", "i4", "u8", "i8", "f4", "f8")
FORMS = (np.asarray, sparse.csr_matrix, sparse.csc_matrix)


@pytest.mark.parametrize(
    ("form", "dtype"),
    [(np.asarray, "f2"), *itertools.product(FORMS, TYPES)],  # scipy has no sparse float16
)
def test_whole_values_of_any_type_are_counts(form: Callable[[Any], Any], dtype: str) -> None:
    verdict = check_counts(matrix_of(form(np.asarray([[0, 2], [1, 0]], dtype=dtype))))
    assert (verdict.counts, verdict.reason, verdict.max_value) == (True, "whole counts", 2)


@pytest.mark.parametrize(
    ("value", "dtype", "reason"),
    [
        (0.5, "f4", "0.5 is not whole (row 1, feature 'gene1')"),
        (1.591, "f4", "1.591 is not whole (row 1, feature 'gene1')"),
        (-1, "f4", "-1 is negative (row 1, feature 'gene1')"),
        (-1, "i1", "-1 is negative (row 1, feature 'gene1')"),
        (np.nan, "f4", "nan is not finite (row 1, feature 'gene1')"),
        (np.inf, "f8", "inf is not finite (row 1, feature 'gene1')"),
        (-np.inf, "f8", "-inf is not finite (row 1, feature 'gene1')"),
        (2**11, "f2", "2048 is too large to be exact as float16 (row 1, feature 'gene1')"),
        (2**24, "f4", "16777216 is too large to be exact as float32 (row 1, feature 'gene1')"),
        (2**53, "f8", f"{2**53} is too large to be exact as float64 (row 1, feature 'gene1')"),
        (2**53, "i8", f"{2**53} is too large to be exact as float64 (row 1, feature 'gene1')"),
        (2**63, "u8", f"{2**63} is too large to be exact as float64 (row 1, feature 'gene1')"),
    ],
)
def test_the_first_offending_value_is_named(value: Any, dtype: str, reason: str) -> None:
    values = np.zeros((3, 2), dtype=dtype)
    values[0, 0], values[1, 1] = 2, value
    values[2, 1] = value
    assert check_counts(matrix_of(values)).reason.startswith(reason)


@pytest.mark.parametrize(
    ("value", "dtype"), [(2**24 - 1, "f4"), (2**24 + 1, "f8"), (2**24 + 1, "i4"), (2**53 - 1, "i8")]
)
def test_large_values_that_are_exact_are_counts(value: int, dtype: str) -> None:
    assert check_counts(matrix_of(np.asarray([[value]], dtype=dtype))).max_value == value


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.zeros((2, 2)), "no value is above 1 (largest: 0): presence, not counts"),
        (np.zeros((0, 2)), "no value is above 1 (largest: 0): presence, not counts"),
        (np.asarray([[True, False]]), "no value is above 1 (largest: 1): presence, not counts"),
        (np.asarray([[-0.0, 1.0]]), "no value is above 1 (largest: 1): presence, not counts"),
        (np.asarray([[2 + 0j]]), "values of type complex128 are no counts"),
        (np.asarray([["2"]]), "values of type <U1 are no counts"),
    ],
    ids=["zeros", "no rows", "booleans", "minus zero", "complex", "texts"],
)
def test_what_is_no_count_is_told(values: Any, reason: str) -> None:
    verdict = check_counts(matrix_of(values))
    assert (verdict.counts, verdict.reason) == (False, reason)


@pytest.mark.parametrize("dtype", ["i1", "f4"])
def test_duplicate_entries_are_summed_without_overflow(dtype: str) -> None:
    values = sparse.csr_matrix(
        (np.asarray([100, 100], dtype=dtype), np.asarray([0, 0]), np.asarray([0, 2])), (1, 1)
    )
    assert check_counts(matrix_of(values)).max_value == 200


def test_stored_zeros_are_no_values() -> None:
    values = sparse.csr_matrix(([0.0, 3.0], [0, 1], [0, 2]), (1, 2))
    ((_, rows),) = matrix_of(values).chunks()
    assert (rows.indices.tolist(), rows.data.tolist()) == ([1], [3.0])


def test_too_little_memory_is_not_the_files_fault() -> None:
    def fail() -> Any:
        raise MemoryError

    with pytest.raises(MemoryError):
        check_counts(replace(matrix_of(np.ones((1, 1))), open=fail))


VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.0, 7.0, 0.5, -1.0, float("nan"), float("inf")])


@given(
    values=hnp.arrays(
        np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=VALUES
    ),
    chunk=st.integers(1, 9),
    is_sparse=st.booleans(),
)
def test_the_verdict_is_that_of_all_values_in_whatever_chunks(
    values: np.ndarray[Any, np.dtype[np.float64]], chunk: int, is_sparse: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_matrix, "CHUNK_VALUES", chunk)
        verdict = check_counts(matrix_of(sparse.csr_matrix(values) if is_sparse else values))
    whole = all(np.isfinite(v) and v >= 0 and v == int(v) for v in values.flat)
    assert verdict.counts == (whole and values.max() > 1)


def halves(n: int) -> Any:
    return np.full((2, n), 0.5, dtype=np.float32)


@pytest.mark.parametrize(
    ("x", "layers", "found", "tried"),
    [
        ("counts", {"a": "counts"}, "X", ["X"]),
        ("halves", {"a": "counts"}, "layers/a", ["X", "layers/a"]),
        ("halves", {"a": "halves", "b": "counts"}, "layers/b", ["X", "layers/a", "layers/b"]),
    ],
)
def test_x_comes_before_layers(
    write: Callable[..., Path],
    coded: Callable[..., Any],
    human: list[str],
    x: str,
    layers: dict[str, str],
    found: str,
    tried: list[str],
) -> None:
    values = {"counts": coded(2, 3), "halves": halves(3)}
    path = write(values[x], human[:3], layers={k: values[v] for k, v in layers.items()})
    with open_source(path) as source:
        matrix, verdicts = find_counts(source)
    assert (matrix.name, [v.matrix for v in verdicts]) == (found, tried)


@pytest.mark.parametrize("layer", ["a/b", "layers/a/b", "spliced counts"])
def test_a_layer_may_be_named_in_full_or_short(
    write: Callable[..., Path],
    coded: Callable[..., Any],
    set_text: Callable[..., None],
    human: list[str],
    layer: str,
) -> None:
    path = write(halves(3), human[:3], layers={"spliced counts": coded(2, 3)})
    set_text(path, "layers/a", {})
    set_text(path, "layers/a/b", coded(2, 3))
    with open_source(path) as source:
        assert find_counts(source, layer=layer)[0].name.endswith(layer)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (None, "has several layers of whole counts (layers/a, layers/b). Choose one with --layer."),
        ("c", "has no matrix 'c'. It has X, layers/a, layers/b: pass one of them as --layer."),
        ("X", "holds no raw counts. Tried X: 0.5 is not whole (row 0, feature 'g0')."),
    ],
)
def test_counts_that_cannot_be_chosen_are_refused(
    write: Callable[..., Path], coded: Callable[..., Any], layer: str | None, message: str
) -> None:
    layers = {"a": coded(2, 3), "b": coded(2, 3)}
    path = write(halves(3), ["g0", "g1", "g2"], layers=layers)
    with open_source(path) as source, pytest.raises(CountsError) as refused:
        find_counts(source, layer=layer)
    assert f"{path} {message}" in str(refused.value)
