"""Categorical columns, which most of obs is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd


def constant(value: str, n: int) -> pd.Categorical:
    """Say the same of `n` rows."""
    import pandas as pd

    return pd.Categorical([value]).take(np.zeros(n, dtype=np.intp))


def text_categories(values: pd.Series[Any]) -> pd.Categorical:
    """Turn a column of any type into categories of text, in order of first appearance.

    Categories that were some already keep their order; those of no row are dropped.

    Returns
    -------
    One entry per row; missing stays missing. A NUL, which neither pandas nor HDF5 can hold in a
    text, becomes U+FFFD.
    """
    import pandas as pd

    codes: npt.NDArray[Any] = np.arange(len(values))
    entries = values.astype(object)
    if isinstance(values.dtype, pd.CategoricalDtype):
        used = values.cat.remove_unused_categories().cat
        codes, entries = used.codes.to_numpy(), pd.Series(used.categories, dtype=object)
    place: dict[str, int] = {}
    numbers = [
        -1 if is_missing else place.setdefault(str(entry).replace("\0", "\ufffd"), len(place))
        for entry, is_missing in zip(entries, entries.isna(), strict=True)
    ]
    categories = pd.Index(list(place), dtype=object)
    merged = np.asarray([*numbers, -1], dtype=np.intp)[codes]
    return pd.Categorical.from_codes(merged.tolist(), categories=categories)
