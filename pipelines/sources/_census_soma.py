"""The SOMA store of a release, read in chunks."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import CorpuscleError, InputError, NotFoundError, SchemaError, TransferError
from ...ontologies import get_organism
from ._wanted import FIELDS, is_below

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from ._census_release import Release
    from ._wanted import Wanted

BUFFER_BYTES = 32 * 2**20
"""Of each column that is read at a time; the package's own default is 1 GiB."""
TERMS = {name: f"{name}_ontology_term_id" for name in FIELDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Cells of one source dataset."""

    n_cells: int
    terms: dict[str, tuple[str, ...]]
    """By field: all the term ids they have."""


@contextlib.contextmanager
def open_census(release: Release) -> Iterator[Any]:
    """Open the store of a release by its address.

    Raises
    ------
    NotFoundError
        If there is no store, or the package that reads it is not installed.
    SchemaError
        If it is not laid out as a Census, or damaged.
    TransferError
        If it is in a bucket and cannot be read.
    """
    try:
        import cellxgene_census
        import tiledbsoma
    except ImportError as error:
        msg = (
            "The Census is read with the package cellxgene-census, which is not installed "
            f"({error}). Install it: pip install 'corpuscle[census]'."
        )
        raise NotFoundError(msg, {"package": "cellxgene-census"}) from error
    config: dict[str, Any] = {"soma.init_buffer_bytes": BUFFER_BYTES}
    if release.region:
        config["vfs.s3.region"] = release.region
    context = cellxgene_census.get_default_soma_context(tiledb_config=config)
    details = {"release": release.build, "file": release.soma}
    try:
        with cellxgene_census.open_soma(uri=release.soma, context=context) as census:
            yield census
    except (CorpuscleError, MemoryError):
        raise
    except tiledbsoma.DoesNotExistError as error:
        msg = (
            f"Census {release.build} is not at {release.soma}: {error}. Weekly builds are deleted "
            "after a month: use --release stable, or another mirror."
        )
        raise NotFoundError(msg, details) from error
    except Exception as error:  # a damaged store and a lost connection raise what they please
        msg = f"{release.soma} cannot be read: {type(error).__name__}: {error}. "
        if release.soma.startswith("s3://"):
            msg += "Check the network, then try again, or use another mirror."
            raise TransferError(msg, details) from error
        msg += "The store is damaged or no Census: copy it again."
        raise SchemaError(msg, details) from error


def table(census: Any, path: str, columns: Sequence[str]) -> pd.DataFrame:
    """Read a table of ``census_info`` that has at least some columns, sorted by its join id.

    Raises
    ------
    SchemaError
        If a column is missing.
    """
    info = census["census_info"]
    if path not in info:
        msg = f"{census.uri} has no census_info/{path}: it is no Census that we know."
        raise SchemaError(msg, {"file": census.uri, "table": path})
    check_columns(info[path], columns)
    frame: pd.DataFrame = info[path].read().concat().to_pandas()
    return frame.sort_values("soma_joinid", ignore_index=True)


def check_columns(stored: Any, columns: Sequence[str]) -> None:
    """Refuse a table without some columns.

    Raises
    ------
    SchemaError
        If one is missing.
    """
    if missing := [name for name in columns if name not in stored.keys()]:  # noqa: SIM118 # no mapping
        msg = (
            f"{stored.uri} has no column {', '.join(missing)}; it has "
            f"{', '.join(sorted(stored.keys()))}. Use another release."
        )
        raise SchemaError(msg, {"file": stored.uri, "missing": missing})


def organisms(census: Any) -> dict[str, str]:
    """Taxon id of each organism, by the name of its experiment.

    Raises
    ------
    SchemaError
        If a release that does not tell taxa has an organism that we do not know.
    """
    stated: Mapping[str, str] = {}
    if "organisms" in census["census_info"]:
        columns = ["organism", "organism_ontology_term_id"]
        rows = table(census, "organisms", columns)
        stated = dict(zip(rows[columns[0]], rows[columns[1]], strict=True))
    result = {}
    for name in sorted(census["census_data"]):
        try:
            result[name] = stated[name] if name in stated else get_organism(name).taxon_id
        except NotFoundError as error:
            msg = f"{census.uri} has cells of {name}, whose taxon it does not tell. {error}"
            raise SchemaError(msg, {"file": census.uri, "organism": name}) from error
    return result


def experiments(census: Any) -> Iterator[tuple[str, Any]]:
    """Give the name of the organism and obs of each experiment, those of spots last."""
    for parent in ("census_data", "census_spatial_sequencing"):
        if parent in census:
            for name in sorted(census[parent]):
                yield name, census[parent][name].obs


def count_cells(obs: Any, value_filter: str | None = None) -> dict[str, Cells]:
    """Count the cells of each dataset and collect their terms.

    Parameters
    ----------
    obs
        Cells of an experiment: four of its columns are read, in chunks.
    value_filter
        Which cells; all by default.

    Returns
    -------
    By dataset id, sorted.

    Raises
    ------
    SchemaError
        If a column is missing.
    """
    import pandas as pd

    columns = ["dataset_id", *TERMS.values()]
    check_columns(obs, columns)
    parts = []
    for chunk in obs.read(column_names=columns, value_filter=value_filter):
        counted = chunk.group_by(columns, use_threads=False).aggregate([([], "count_all")])
        parts.append(counted.to_pandas().astype(dict.fromkeys(columns, object)))
    if not parts:
        return {}
    every = pd.concat(parts, ignore_index=True)
    return {
        str(dataset_id): Cells(
            n_cells=int(rows["count_all"].sum()),
            terms={
                name: tuple(sorted({t for text in set(rows[c]) for t in split(text)}))
                for name, c in TERMS.items()
            },
        )
        for dataset_id, rows in every.groupby("dataset_id", sort=True)
    }


def split(text: object) -> list[str]:
    """Take apart the terms of a value; ``unknown`` and ``na`` are none."""
    return [term for term in str(text).split(" || ") if ":" in term]


def cell_filter(obs: Any, wanted: Wanted, *, cells: str, where: str) -> str | None:
    """Write the filter for the cells that are wanted.

    The values of a column that mean a wanted term are spelt out: terms below it, and those that
    stand beside others in one value, which equality would not find.

    Parameters
    ----------
    obs
        Cells of an experiment.
    wanted
        Its terms count.
    cells
        ``primary`` or ``all``.
    where
        Filter of the user's own.

    Returns
    -------
    The filter, empty for all cells; None if no cell can fit.
    """
    parts = ["is_primary_data == True"] if cells == "primary" else []
    for name, any_of in sorted(wanted.terms.items()):
        column = TERMS[name]
        check_columns(obs, [column])
        fitting = sorted(
            value
            for value in _values(obs, column)
            if any(is_below(term, above) for term in split(value) for above in any_of)
        )
        if not fitting:
            return None
        parts.append(f"{column} in {fitting!r}")
    if where:
        parts.append(f"({where})")
    return " and ".join(parts)


def _values(obs: Any, column: str) -> set[str]:
    """Values of a column: from its dictionary if it has one, else all of it is read."""
    import pyarrow as pa

    if pa.types.is_dictionary(obs.schema.field(column).type):
        return set(obs.get_enumeration_values([column])[column].to_pylist())
    found: set[str] = set()
    for chunk in obs.read(column_names=[column]):
        found |= set(chunk[column].unique().to_pylist())
    return found


def check_where(obs: Any, where: str) -> None:
    """Refuse a filter of the user's that cannot be read.

    Raises
    ------
    InputError
        If it cannot.
    """
    try:
        for _ in obs.read(column_names=["soma_joinid"], value_filter=where, coords=([0],)):
            pass
    except Exception as error:
        msg = (
            f"where={where} is no filter of the cells of {obs.uri}: {error}. It looks like "
            "sex == 'female' and suspension_type in ['cell', 'nucleus']; columns: "
            f"{', '.join(sorted(obs.keys()))}."
        )
        raise InputError(msg, {"where": where}) from error
