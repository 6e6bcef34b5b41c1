"""What a release of the Census offers: its source files, or slices of its cells."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from ...errors import SchemaError
from ...ontologies import get_organism
from ..transfer import RemoteFile
from ._census_soma import (
    cell_filter,
    check_where,
    count_cells,
    experiments,
    organisms,
    table,
)
from ._interface import SourceDataset

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ._census_release import Release
    from ._census_soma import Cells
    from ._wanted import Wanted

NAME = "cellxgene-census"
LICENCE = "CC-BY-4.0"
CITATION = (
    "CZI Cell Science Program et al. CZ CELLxGENE Discover: a single-cell data platform for "
    "scalable exploration, analysis and modeling of aggregated data. "
    "Nucleic Acids Research 53, D886-D900 (2025). doi:10.1093/nar/gkae1142"
)
H5AD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.h5ad")
"""Paths of source files: names in one folder."""
REQUIRED = ("dataset_id", "dataset_title", "dataset_h5ad_path", "collection_id")
"""Columns of ``census_info/datasets`` in all releases; the oldest have no version or citation."""


def list_files(census: Any, release: Release, wanted: Wanted) -> list[SourceDataset]:
    """List the source files of a release, by dataset id.

    A file may hold cells that the Census leaves out, of cultures and other assays; its terms are
    those of the cells that the Census has.

    Raises
    ------
    SchemaError
        If the tables are not what they were, or contradict each other.
    """
    rows, taxa = table(census, "datasets", REQUIRED), organisms(census)
    cells: dict[str, list[tuple[str, Cells]]] = {}
    for organism, obs in experiments(census):
        for dataset_id, counted in count_cells(obs).items():
            cells.setdefault(dataset_id, []).append((taxa[organism], counted))
    if unknown := sorted(set(cells) - set(rows["dataset_id"])):
        msg = (
            f"{census.uri} has cells of {len(unknown)} datasets that census_info/datasets does "
            f"not list (first: {unknown[0]}). Use another release or mirror."
        )
        raise SchemaError(msg, {"file": census.uri, "datasets": unknown})
    summary = table(census, "summary", ["label", "value"])
    stated = dict(zip(summary["label"], summary["value"], strict=True))
    schema = str(stated.get("dataset_schema_version", ""))
    return [
        _file(row, release, cells.get(row["dataset_id"], []), schema=schema)
        for row in rows.sort_values("dataset_id").to_dict("records")
        if wanted.has_id(row["dataset_id"])
    ]


def _file(
    row: Mapping[Any, Any], release: Release, cells: list[tuple[str, Cells]], *, schema: str
) -> SourceDataset:
    dataset_id, path = str(row["dataset_id"]), str(row["dataset_h5ad_path"])
    if not H5AD.fullmatch(path):
        msg = (
            f"dataset_h5ad_path of {dataset_id} in Census {release.build} is {path!r}; expected a "
            "name that ends in .h5ad. Use another release or mirror."
        )
        raise SchemaError(msg, {"file": release.soma, "field": "dataset_h5ad_path"})
    return SourceDataset(
        source=NAME,
        id=dataset_id,
        key=f"cellxgene/{dataset_id}",
        version=str(row.get("dataset_version_id") or f"census-{release.build}"),
        title=str(row["dataset_title"]),
        files=(RemoteFile(url=f"{release.h5ads}{path}", name=path),),
        licence=LICENCE,
        citation=str(row.get("citation") or CITATION),
        released=release.date,
        terms=_terms(cells),
        aliases=(
            f"cellxgene:dataset:{dataset_id}",
            f"cellxgene:collection:{row['collection_id']}",
        ),
        skip="" if cells else f"Census {release.build} lists it and has no cell of it.",
        extra={
            "form": "h5ad",
            "release": asdict(release),
            "schema_version": schema,
            "collection_id": row["collection_id"],
            "raw_data_location": None,  # this and what follows is told by another service only
            "primary_cell_count": None,
            "assets_left_out": [],
        },
    )


def list_slices(
    census: Any, release: Release, wanted: Wanted, *, cells: str, where: str
) -> list[SourceDataset]:
    """List one slice of each organism that has cells as wanted.

    Parameters
    ----------
    census
        The open store.
    release
        Which it is.
    wanted
        Its organism, terms and ids count.
    cells
        ``primary`` or ``all``.
    where
        Filter of the user's own; may be empty.

    Raises
    ------
    InputError
        If `where` is no filter.
    SchemaError
        If the tables are not what they were.
    """
    asked = [*(f"{name} {' or '.join(ids)}" for name, ids in sorted(wanted.terms.items()))]
    asked += [text for text in (cells if cells == "primary" else "", where) if text]
    rows = table(census, "datasets", REQUIRED)
    citations = rows["citation"] if "citation" in rows else rows["dataset_id"].map({})
    result = []
    for organism, taxon in organisms(census).items():
        id_ = f"{organism}-{_digest(asked)}"
        if not (wanted.has_organism(taxon) and wanted.has_id(id_)):
            continue
        obs = census["census_data"][organism].obs
        if where:
            check_where(obs, where)
        value_filter = cell_filter(obs, wanted, cells=cells, where=where)
        found = {} if value_filter is None else count_cells(obs, value_filter or None)
        if not found:
            continue
        cited = sorted(set(citations[rows["dataset_id"].isin(found)].dropna()))
        result.append(
            SourceDataset(
                source=NAME,
                id=id_,
                key=f"{NAME}/{id_}",
                version=f"{release.build}-{_digest(value_filter)}",
                title=f"Census {release.build}: {'; '.join([get_organism(taxon).name, *asked])}",
                files=(
                    RemoteFile(url=f"{release.soma}census_data/{organism}", name=f"{id_}.h5ad"),
                ),
                licence=LICENCE,
                citation="\n".join([CITATION, *cited]),
                n_cells=sum(counted.n_cells for counted in found.values()),
                released=release.date,
                terms=_terms((taxon, counted) for counted in found.values()),
                links=tuple(f"cellxgene:dataset:{dataset_id}" for dataset_id in found),
                extra={
                    "form": "slice",
                    "release": asdict(release),
                    "organism": organism,
                    "value_filter": value_filter,
                },
            )
        )
    return result


def _terms(cells: Iterable[tuple[str, Cells]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {"organism": set()}
    for taxon, counted in cells:
        found["organism"].add(taxon)
        for name, terms in counted.terms.items():
            found.setdefault(name, set()).update(terms)
    return {name: tuple(sorted(terms)) for name, terms in found.items()}


def _digest(asked: object) -> str:
    return blake2b(json.dumps(asked).encode(), digest_size=4).hexdigest()
