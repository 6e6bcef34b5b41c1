"""What a file of CELLxGENE says of itself, by the version of its schema."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...curation import SourceFacts
from ...errors import NotFoundError, SchemaError
from ...ontologies import get_organism

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...curation import SourceFile
    from ._interface import SourceDataset

ORGANISM, TISSUE = "organism_ontology_term_id", "tissue_ontology_term_id"
REQUIRED = ("assay", "cell_type", "development_stage", "disease", "sex", "tissue")
"""Fields whose column of ids every version of the schema asks for."""
SUFFIX = re.compile(r"(?P<id>.+) \((?P<kind>cell culture|organoid)\)")
"""Tissue type until schema 4, behind the tissue."""
KINDS = {"cell culture": "primary cell culture", "organoid": "organoid"}
MIGRATED = "`cell culture` until schema 6 is `primary cell culture` since schema 7"
CITED = {
    "dataset version": re.compile(r"datasets\.cellxgene\.cziscience\.com/([\w-]+)\.h5ad"),
    "collection": re.compile(r"cellxgene\.cziscience\.com/collections/([\w-]+)"),
}
"""Ids in the citation that the portal writes into the file."""


def with_facts(file: SourceFile, dataset: SourceDataset) -> SourceFile:
    """Add what the record and the schema tell of a file.

    Parameters
    ----------
    file
        As opened.
    dataset
        Its record.

    Returns
    -------
    The file with `SourceFile.facts`; the record, and where the file differs in what may differ, are
    in ``uns["cellxgene_record"]`` as JSON.

    Raises
    ------
    SchemaError
        If the file is not the one of the record, or not as its schema says. The message tells all
        that is wrong.
    """
    version, how = schema_of(file)
    major = _major(version)
    problems = [*_contradictions(file, dataset, version, how), *_gaps(file, major)]
    if problems:
        msg = (
            f"{file.path} is not dataset {dataset.id} (version {dataset.version}) of CELLxGENE as "
            f"its record and schema {version} describe it: {'; '.join(problems)}. List and fetch it "
            "again; if that does not help, leave it out and tell the publisher."
        )
        details = {"file": str(file.path), "dataset": dataset.id, "problems": problems}
        raise SchemaError(msg, details)
    record = {
        "dataset_id": dataset.id,
        "dataset_version_id": dataset.version,
        **dataset.extra,
        "schema_version": version,
        "schema_version_from": how,
        "differs": list(_differences(file, dataset)),
    }
    assets = tuple(f"asset/{kind}" for kind in dataset.extra["assets_left_out"])
    return replace(
        file,
        facts=_facts(file, dataset, version),
        uns={**file.uns, "cellxgene_record": json.dumps(record, sort_keys=True)},
        left_out=(*file.left_out, *assets),
    )


def schema_of(file: SourceFile) -> tuple[str, str]:
    """Tell the version of the schema, and from what: ``uns`` or ``structure``."""
    stated = file.uns.get("schema_version")
    if stated is not None:
        return stated, "uns"
    if ORGANISM in file.uns:
        return "6.0", "structure"
    if "tissue_type" in file.obs:
        return "5.0", "structure"
    is_third = "self_reported_ethnicity_ontology_term_id" in file.obs
    return ("3.0" if is_third else "2.0"), "structure"


def _contradictions(
    file: SourceFile, dataset: SourceDataset, version: str, how: str
) -> Iterator[str]:
    """Tell what contradicts the record."""
    stated = dataset.extra["schema_version"]
    if how == "uns" and _numbers(version) != _numbers(stated):
        yield f"uns['schema_version'] is {version!r}, and its record says {stated}"
    if dataset.n_cells is not None and dataset.n_cells != len(file.obs):
        yield f"it has {len(file.obs):,} cells in obs, and its record says {dataset.n_cells:,}"
    ids = {"dataset version": dataset.version, "collection": dataset.extra["collection_id"]}
    for what, pattern in CITED.items():
        found = pattern.search(file.uns.get("citation", ""))
        if found is not None and found[1] != ids[what]:
            yield f"uns['citation'] names {what} {found[1]}, and its record {ids[what]}"
    place = dataset.extra["raw_data_location"]
    if place is not None and (place == "raw.X") != ("raw.X" in file.matrices):
        has = "raw.X" if "raw.X" in file.matrices else "no raw.X"
        yield f"its record says that raw counts are in {place}, and it has {has}"
    recorded = dataset.terms["organism"]
    if ORGANISM in file.uns and recorded and _taxon(file.uns[ORGANISM]) not in recorded:
        yield f"uns['{ORGANISM}'] is {file.uns[ORGANISM]!r}, and its record says {recorded}"


def _gaps(file: SourceFile, major: int) -> Iterator[str]:
    """Tell what its schema asks for and it does not have."""
    columns = [f"{name}_ontology_term_id" for name in REQUIRED]
    columns += ["tissue_type"] if major == 5 else []
    missing = [column for column in columns if column not in file.obs]
    if missing:
        yield f"obs lacks {', '.join(missing)}"
    if not (major >= 6 and ORGANISM in file.uns) and ORGANISM not in file.obs:
        yield f"{'uns' if major >= 6 else 'obs'} lacks {ORGANISM}"
    shown = file.matrices.get("X")
    if shown is not None and "raw.X" not in file.matrices and "feature_is_filtered" in shown.var:
        is_filtered = shown.var["feature_is_filtered"].astype(str) == "True"
        if is_filtered.any():
            first = shown.var.index[int(is_filtered.argmax())]
            yield (
                f"var['feature_is_filtered'] says that counts of {int(is_filtered.sum()):,} features "
                f"were taken out of X (first: {first}), and there is no raw.X that holds them"
            )


def _differences(file: SourceFile, dataset: SourceDataset) -> Iterator[str]:
    """Tell where the file differs from the record in what does not change its cells."""
    title = file.uns.get("title")
    if title is not None and title != dataset.title:
        yield f"title of the file is {title!r}"
    expected = dataset.extra["primary_cell_count"]
    if expected is not None and "is_primary_data" in file.obs:
        n_primary = int((file.obs["is_primary_data"].astype(str) == "True").sum())
        if n_primary != expected:
            yield f"{n_primary:,} cells are primary data, and the record says {expected:,}"


def _facts(file: SourceFile, dataset: SourceDataset, version: str) -> SourceFacts:
    columns: dict[str, str] = {}
    terms: dict[str, dict[str, str]] = {}
    evidence: dict[str, str] = {}
    if _major(version) <= 4:
        column, suffixes = _suffixes(file)
        texts = _distinct(file, column)
        columns["tissue_type"] = column
        terms["tissue_type"] = {
            text: KINDS[suffixes[text][1]] if text in suffixes else "tissue" for text in texts
        }
        evidence["tissue_type"] = "until schema 4 the tissue says it, in parentheses; " + MIGRATED
        if column == TISSUE and suffixes:
            terms["tissue"] = {text: id_ for text, (id_, _) in suffixes.items()}
            evidence["tissue"] = "until schema 4 the tissue type follows in parentheses"
    elif "cell culture" in _distinct(file, "tissue_type"):
        evidence["tissue_type"] = MIGRATED
    ethnicity = "self_reported_ethnicity_ontology_term_id"
    if ethnicity in file.obs and any("," in text for text in _distinct(file, ethnicity)):
        evidence["self_reported_ethnicity"] = "schema 5 joins several terms by a comma"
    return SourceFacts(
        says=f"CELLxGENE, dataset version {dataset.version}, schema {version}",
        columns=columns,
        terms=terms,
        evidence=evidence,
        layer=dataset.extra["raw_data_location"],
    )


def _suffixes(file: SourceFile) -> tuple[str, dict[str, tuple[str, str]]]:
    """Find the column whose texts end in the tissue type, and what each of them says."""
    found: dict[str, tuple[str, str]] = {}
    for column in (TISSUE, "tissue"):
        if column in file.obs:
            for text in _distinct(file, column):
                if (match := SUFFIX.fullmatch(text)) is not None:
                    found[text] = match["id"], match["kind"]
            if found:
                return column, found
    return TISSUE, found


def _distinct(file: SourceFile, column: str) -> list[str]:
    if column not in file.obs:
        return []
    return sorted(str(value) for value in file.obs[column].dropna().unique())


def _major(version: str) -> int:
    """Give 7 for 7.1.0, and 0 for what is no version and therefore not that of the record."""
    first = version.partition(".")[0]
    return int(first) if first.isdecimal() else 0


def _numbers(version: str) -> tuple[Any, ...]:
    """Compare 7.1 and 7.1.0 alike."""
    return tuple([*version.split("."), "0"][:3])


def _taxon(text: str) -> str:
    try:
        return get_organism(text).taxon_id
    except NotFoundError:
        return text
