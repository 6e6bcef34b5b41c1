"""The mapped collection of LaminDB as what ours is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np

from corpuscle.loaders import MappedCorpus


def equal(a: object, b: object) -> bool:
    """Same type, dtype, shape and bits; nan equals nan."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (np.ndarray, np.generic)):
        assert isinstance(b, (np.ndarray, np.generic))
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return a == b or (a is np.nan and b is np.nan)


def assert_same(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    assert [list(sample) for sample in ours] == [list(sample) for sample in theirs]
    for our, their in zip(ours, theirs, strict=True):
        different = [key for key in our if not equal(our[key], their[key])]
        assert not different, {key: (our[key], their[key]) for key in different}


def base_of(paths: Any, **options: Any) -> Any:
    from lamindb.core import MappedCollection

    return MappedCollection(paths, **options)  # pyright: ignore[reportCallIssue] - made at run time


def compare(paths: list[str], indices: list[int], **options: Any) -> None:
    with base_of(paths, **options) as base, MappedCorpus(paths, **options) as mapped:
        expected = [base[i] for i in indices]
        assert_same(mapped.__getitems__(indices), expected)
        assert_same([mapped[i] for i in indices[:3]], expected[:3])
