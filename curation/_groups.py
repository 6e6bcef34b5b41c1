"""Groups of cells that are alike in everything that is known of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

FACTORS = (
    "cell_type_ontology_term_id",
    "cluster",
    "assay_ontology_term_id",
    "disease_ontology_term_id",
    "sex_ontology_term_id",
    "organism_ontology_term_id",
)
"""Columns whose values make a group, in the order of its name."""
FOLDED = (
    "cluster",
    "sex_ontology_term_id",
    "assay_ontology_term_id",
    "disease_ontology_term_id",
)
"""Columns that small groups give up, in this order. Cell type and organism stay."""
ANY = "*"
"""In place of a value that was given up."""
SEPARATOR = " | "


def cell_groups(obs: pd.DataFrame, *, min_group: int) -> pd.Categorical:
    """Put each cell into a group.

    Cells of a group that is too small join their parent, the group that has `ANY` in place of the
    next column of `FOLDED`; and so on until there are enough of them or nothing is left to give
    up. Cells of groups that are large enough never move.

    Parameters
    ----------
    obs
        Cells with the categorical columns `FACTORS`, without missing values.
    min_group
        Groups with fewer cells are folded.

    Returns
    -------
    Names such as ``CL:0000084 | 3 | EFO:0009922 | PATO:0000461 | * | NCBITaxon:9606``, with
    sorted categories.

    Examples
    --------
    >>> import pandas as pd
    >>> obs = pd.DataFrame({name: ["a"] * 4 for name in FACTORS}, dtype="category")
    >>> obs["cluster"] = pd.Categorical(["0", "0", "1", "2"])
    >>> cell_groups(obs, min_group=2).tolist()
    ['a | 0 | a | a | a | a', 'a | 0 | a | a | a | a', 'a | * | a | a | a | a', 'a | * | a | a | a | a']
    """
    import pandas as pd

    codes = pd.DataFrame({name: obs[name].cat.codes.to_numpy() for name in FACTORS})
    for name in FOLDED:
        size = codes.groupby(list(FACTORS))[name].transform("size")
        codes.loc[size < min_group, name] = -1
    numbers = codes.groupby(list(FACTORS)).ngroup().to_numpy()
    _, first = np.unique(numbers, return_index=True)
    names = [
        SEPARATOR.join(
            ANY if code < 0 else str(obs[name].cat.categories[code])
            for name, code in zip(FACTORS, row, strict=True)
        )
        for row in codes.iloc[first].itertuples(index=False)
    ]
    return pd.Categorical(np.asarray(names, dtype=object)[numbers])
