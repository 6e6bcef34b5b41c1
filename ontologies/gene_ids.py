"""Whose a stable gene id is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .organisms import GUESTS, ORGANISMS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["id_owners"]

_ID_SHAPE = r"^(\D.*?)\d{5,11}(?:\.\d+)?$"


def id_owners(features: pd.Series[str]) -> pd.Series[str]:
    """Tell from its shape whose stable gene id a text is.

    Parameters
    ----------
    features
        Texts, with or without version.

    Returns
    -------
    Taxon id, or null for what does not look like a gene id. Same index as `features`.
    """
    owners = {
        prefix: organism.taxon_id
        for organism in (*ORGANISMS, *GUESTS)
        for prefix in organism.gene_id_prefixes
    }
    return features.str.extract(_ID_SHAPE, expand=False).map(owners)
