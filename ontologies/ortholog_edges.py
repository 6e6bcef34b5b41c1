"""The one form that a table of orthologs has, and how to bring a table into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ..errors import NotFoundError, SchemaError
from .organisms import get_organism

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

COLUMNS = (
    "gene_a",
    "taxon_a",
    "gene_b",
    "taxon_b",
    "type",
    "source",
    "release",
    "confidence",
    "support",
)
KEY = ["taxon_a", "taxon_b", "gene_a", "gene_b"]
"""What tells one edge from another, in the order they are sorted by."""
NEEDED = ("gene_a", "taxon_a", "gene_b", "taxon_b", "source")
"""Columns that are never null."""
TYPES = ("1:1", "1:n", "n:1", "n:m")
CONFIDENCES = ("low", "high")
TEXT: Literal["string[pyarrow]"] = "string[pyarrow]"
_TAXON = r"NCBITaxon:[1-9]\d*"
_REVERSED = {"1:n": "n:1", "n:1": "1:n"}


def canonical_taxon(text: str) -> str:
    """Give the taxon id that we label an organism with.

    A taxon id that is none of our organisms stays as it is: one may have orthologs of a species
    that no dataset is of.

    Raises
    ------
    NotFoundError
        If the text is neither a name we know nor a taxon id.
    """
    import re

    try:
        return get_organism(text).taxon_id
    except NotFoundError:
        if re.fullmatch(_TAXON, text):
            return text
        raise


def reversed_type(types: pd.Series[str]) -> pd.Series[str]:
    """Read the types of edges in the other direction."""
    return types.cat.rename_categories(_REVERSED).cat.set_categories(list(TYPES))


def normal_edges(edges: pd.DataFrame) -> pd.DataFrame:
    """See `Orthologs.of`."""
    missing = [name for name in NEEDED if name not in edges]
    if missing:
        msg = (
            f"A table of orthologs needs the columns {', '.join(NEEDED)}: "
            f"{', '.join(missing)} missing, there are {', '.join(map(str, edges.columns))}."
        )
        raise SchemaError(msg, {"missing": missing})
    normal = _typed(edges)
    _check(normal)
    normal = _merged(oriented(normal))
    unknown = normal["type"].isna()
    if unknown.any():
        derived = derived_types(normal)
        normal["type"] = normal["type"].where(~unknown, derived)
    return normal[list(COLUMNS)]


def _typed(edges: pd.DataFrame) -> pd.DataFrame:
    """Give every column its type, and a null where a column is missing."""
    import pandas as pd

    typed: dict[str, pd.Series[Any]] = {
        name: pd.Series(edges.get(name, pd.NA), index=edges.index).astype(object).astype(TEXT)
        for name in COLUMNS
        if name != "support"
    }
    for name, allowed in (("type", TYPES), ("confidence", CONFIDENCES)):
        values = typed[name]
        strange = values[values.notna() & ~values.isin(allowed)]
        if len(strange):
            _refuse(name, strange, f"one of {', '.join(allowed)} or null")
        typed[name] = values.astype(pd.CategoricalDtype(list(allowed), ordered=name != "type"))
    support = pd.Series(edges.get("support", pd.NA), index=edges.index)
    numbers = pd.to_numeric(support, errors="coerce").astype("Float64")
    whole = numbers.ge(0) & numbers.mod(1).eq(0)
    wrong = support.notna() & ~whole.fillna(value=False)
    if wrong.any():
        _refuse("support", support[wrong], "a whole number or null")
    typed["support"] = numbers.astype("Int32")
    return pd.DataFrame(typed).reset_index(drop=True)[list(COLUMNS)]


def _check(edges: pd.DataFrame) -> None:
    """Look at everything that a type does not tell."""
    for name in NEEDED:
        empty = edges[name].isna() | edges[name].fillna("").str.strip().eq("")
        if empty.any():
            _refuse(name, edges[name][empty], "a text")
    for name in ("taxon_a", "taxon_b"):
        strange = ~edges[name].str.fullmatch(_TAXON)
        if strange.any():
            _refuse(name, edges[name][strange], "a taxon id such as NCBITaxon:9606")


def _refuse(column: str, values: pd.Series[str], wanted: str) -> None:
    first = values.iloc[0]
    msg = (
        f"{len(values):,} values of {column} are not {wanted} "
        f"(first: {first!r}, row {values.index[0]}). Correct the table of orthologs."
    )
    raise SchemaError(msg, {"column": column, "first": str(first)})


def oriented(edges: pd.DataFrame) -> pd.DataFrame:
    """Put the species with the smaller taxon number first, and label it as we do.

    Parameters
    ----------
    edges
        Genes and taxa; also ``type``, if it is there.

    Raises
    ------
    SchemaError
        If an edge is within a species.
    """
    edges = edges.assign(**{n: mapped(edges[n], canonical_taxon) for n in ("taxon_a", "taxon_b")})
    same = edges["taxon_a"] == edges["taxon_b"]
    if same.any():
        _refuse("taxon_b", edges["taxon_b"][same], "of another species than taxon_a")
    turn = _number(edges["taxon_a"]) > _number(edges["taxon_b"])
    swap = {"gene_a": "gene_b", "taxon_a": "taxon_b", "gene_b": "gene_a", "taxon_b": "taxon_a"}
    turned = {name: edges[name].where(~turn, edges[other]) for name, other in swap.items()}
    if "type" in edges:
        turned["type"] = edges["type"].where(~turn, reversed_type(edges["type"]))
    return edges.assign(**turned)


def _number(taxa: pd.Series[str]) -> pd.Series[int]:
    return taxa.str.slice(len("NCBITaxon:")).astype("int64")


def mapped(values: pd.Series[str], function: Callable[[str], str | None]) -> pd.Series[str]:
    """Apply a function to each distinct text; what it gives None for becomes null."""
    return values.map({text: function(text) for text in values.dropna().unique()}).astype(TEXT)


def _merged(edges: pd.DataFrame) -> pd.DataFrame:
    """Sort, and make one edge of those that are of the same two genes."""
    import pandas as pd

    edges = edges.assign(_a=_number(edges["taxon_a"]), _b=_number(edges["taxon_b"]))
    edges = edges.sort_values(["_a", "_b", "gene_a", "gene_b", "source"], ignore_index=True)
    edges = edges.drop(columns=["_a", "_b"])
    again = edges.duplicated(KEY, keep=False)
    if not again.any():
        return edges
    groups = edges[again].groupby(KEY, sort=False)
    several = groups["type"].nunique() > 1
    one = pd.DataFrame(
        {
            "type": groups["type"].first().mask(several, "n:m"),
            "confidence": groups["confidence"].max(),
            "support": groups["support"].max(),
            **{name: groups[name].agg(_joined) for name in ("source", "release")},
        }
    )
    first = ~edges.duplicated(KEY)
    at = pd.MultiIndex.from_frame(edges.loc[again & first, KEY])
    for name in one:
        values = one[name].reindex(at).set_axis(edges.index[again & first], axis=0)
        edges.loc[again & first, name] = values.astype(edges[name].dtype)
    return edges[first].reset_index(drop=True)


def _joined(texts: pd.Series[str]) -> str | None:
    return "|".join(sorted({part for text in texts.dropna() for part in text.split("|")})) or None


def derived_types(edges: pd.DataFrame) -> pd.Series[str]:
    """Tell the types of edges from the edges themselves.

    Parameters
    ----------
    edges
        Every edge between two species that counts.

    Returns
    -------
    Type by edge: how many genes of either species are connected with it, directly or not.
    """
    import numpy as np
    import pandas as pd

    group = components(edges)
    several = {
        side: edges.groupby(group)[f"gene_{side}"].transform("nunique").to_numpy() > 1
        for side in ("a", "b")
    }
    codes = np.where(several["a"], np.where(several["b"], 3, 2), np.where(several["b"], 1, 0))
    dtype = pd.CategoricalDtype(list(TYPES))
    return pd.Series(pd.Categorical.from_codes(codes.tolist(), dtype=dtype), index=edges.index)


def components(edges: pd.DataFrame) -> npt.NDArray[np.int32]:
    """Number the sets of connected genes, each pair of species on its own.

    Returns
    -------
    One number per edge.
    """
    import numpy as np
    from scipy import sparse

    species = ["taxon_a", "taxon_b"]
    a = edges.groupby([*species, "gene_a"], sort=False).ngroup().to_numpy()
    b = edges.groupby([*species, "gene_b"], sort=False).ngroup().to_numpy()
    if not len(edges):
        return np.zeros(0, dtype=np.int32)
    b = b + a.max() + 1
    n = int(b.max()) + 1
    graph = sparse.coo_matrix((np.ones(len(edges), dtype=np.int8), (a, b)), shape=(n, n))
    labels: npt.NDArray[np.int32] = sparse.csgraph.connected_components(graph, directed=False)[1]
    return labels[a]
