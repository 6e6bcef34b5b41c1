"""Categorical columns, which most of obs is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def constant(value: str, n: int) -> pd.Categorical:
    """Say the same of `n` rows."""
    import pandas as pd

    return pd.Categorical([value]).take(np.zeros(n, dtype=np.intp))


def text_categories(values: pd.Series[Any]) -> pd.Categorical:
    """Turn a column of any type into categories of text, in order of first appearance.

    Returns
    -------
    One entry per row; missing stays missing.
    """
    import pandas as pd

    codes, names = pd.factorize(values)
    place, texts = pd.factorize(np.asarray([str(name) for name in names], dtype=object))
    merged = np.append(place, -1)[codes]
    labels = np.asarray([*texts, None], dtype=object)
    return pd.Categorical(labels[merged], categories=pd.Index(texts, dtype=object))
