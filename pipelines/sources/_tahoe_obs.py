"""Cells of Tahoe-100M with what the publisher's tables say of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...curation import SourceFacts, constant
from ...ontologies import ontology
from ._tahoe_lines import LINES
from ._tahoe_tables import CONTROL, parse_dose, refuse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd

    from ._tahoe_tables import Tables

HUMAN, ASSAY = "NCBITaxon:9606", "EFO:0022603"
DOSE = ("perturbation", "perturbation_dose", "perturbation_dose_unit")
ORIGIN = ("tissue_of_origin", "sex_of_origin")
DERIVED = frozenset(
    {
        *DOSE,
        "is_control",
        "perturbation_pubchem_cid",
        *ORIGIN,
        *(f"{name}_ontology_term_id" for name in ORIGIN),
    }
)
"""Columns that are made here; all others are the publisher's."""
LEFT_OUT = (
    "sample_metadata/mean_gene_count",
    "sample_metadata/mean_tscp_count",
    "sample_metadata/mean_mread_count",
    "sample_metadata/mean_pcnt_mito",
    "cell_line_metadata/Driver_*",
)
"""What the tables hold besides: means over cells, and several rows for a line."""


def describe(path: Path, obs: pd.DataFrame, tables: Tables, *, line: str) -> pd.DataFrame:
    """Join the tables to the cells, and derive columns that both forms have.

    Parameters
    ----------
    path
        File of the cells, for messages.
    obs
        The cells, texts of which are made categories.
    tables
        What the publisher says.
    line
        Column with the accession of the cell line.

    Returns
    -------
    obs with as many rows: its own columns, those of the tables that it lacks, and `DERIVED`.

    Raises
    ------
    SchemaError
        If a cell has no sample or line, its sample is unknown, or obs and tables contradict
        each other.
    """
    import pandas as pd

    if clash := sorted(DERIVED & set(obs.columns)):
        refuse(path, clash[0], "values of its own where a column is derived")
    columns: dict[str, Any] = {str(name): _compact(obs[name]) for name in obs}
    texts = {name: categories(path, obs, name) for name in ("sample", line)}
    sample = _places(path, "sample", texts["sample"], tables.samples.index)
    _agree(path, obs, "plate", sample, tables.samples["plate"], str)
    _agree(path, obs, "drug", sample, tables.samples["perturbation"], str.strip)
    doses = pd.Series(list(zip(*(tables.samples[name] for name in DOSE), strict=True)))
    _agree(path, obs, "drugname_drugconc", sample, doses, lambda text: parse_dose(text, path=path))
    known = tables.lines.index.get_indexer(texts[line].categories)[texts[line].codes]
    _agree(path, obs, "cell_name", known, tables.lines["cell_name"], str)
    drug = tables.drugs.index.get_indexer(pd.Index(tables.samples["perturbation"]))[sample]
    for table, places in ((tables.samples, sample), (tables.drugs, drug), (tables.lines, known)):
        for name in table:
            if name not in columns:
                columns[str(name)] = _spread(table[name], places)
    columns["is_control"] = np.asarray(tables.samples["perturbation"] == CONTROL)[sample]
    columns["perturbation_pubchem_cid"] = _cids(path, columns["pubchem_cid"])
    columns |= _origins(texts[line])
    columns.setdefault("donor_id", constant("na", len(obs)))  # as the schema has it for lines
    return pd.DataFrame({**columns, **texts}, index=obs.index)


def known_facts(release: str, line: str) -> SourceFacts:
    """Say what holds for every cell, and what lines stand for."""
    schema = "schema 7 of CELLxGENE has it so for cell lines"
    return SourceFacts(
        says=f"Tahoe-100M {release}",
        organism=HUMAN,
        columns={"tissue": line, "disease": line},
        constants={
            "tissue_type": "cell line",
            "assay": ASSAY,
            **dict.fromkeys(
                ("cell_type", "development_stage", "self_reported_ethnicity", "sex"), "na"
            ),
        },
        terms={"disease": {accession: line.disease for accession, line in LINES.items()}},
        evidence={
            "tissue_type": "every cell is of one of 50 cell lines",
            "assay": "libraries by the GigaLab of Parse Biosciences, as the names of the files "
            "say: split-pool barcoding, whose version is not stated",
            "tissue": f"{line} holds accessions of Cellosaurus",
            "disease": "disease of the donor of the line, by its accession of Cellosaurus",
            **dict.fromkeys(("cell_type", "development_stage", "self_reported_ethnicity"), schema),
            "sex": f"{schema}; that of the donor is in sex_of_origin",
        },
        gene_column="ensembl_id",
    )


def categories(path: Path, obs: pd.DataFrame, name: str) -> pd.Categorical:
    """Give a column as categories of text, none missing."""
    import pandas as pd

    values = pd.Categorical(obs[name])
    if not all(isinstance(text, str) for text in values.categories):
        refuse(path, name, f"values of type {values.categories.dtype} where text is expected")
    if (values.codes < 0).any():
        refuse(path, name, f"no value in {int((values.codes < 0).sum()):,} cells")
    return values


def _compact(values: pd.Series[Any]) -> Any:
    """Make texts categories at once: later that would be done cell by cell."""
    import pandas as pd

    return pd.Categorical(values) if values.dtype == object else values.array


def _places(
    path: Path, name: str, values: pd.Categorical, known: pd.Index[Any]
) -> npt.NDArray[np.intp]:
    """Find the row of a table for each cell."""
    places = known.get_indexer(values.categories)
    if (places < 0).any():
        missing = values.categories[places < 0]
        refuse(path, name, f"{missing[0]!r} and {len(missing) - 1} more that no table knows")
    found: npt.NDArray[np.intp] = places[values.codes]
    return found


def _agree(
    path: Path,
    obs: pd.DataFrame,
    name: str,
    places: npt.NDArray[np.intp],
    expected: pd.Series[Any],
    meaning: Callable[[str], object],
) -> None:
    """See that a column says the same as the table, looking at each distinct pair once."""
    if name not in obs:
        return
    values = categories(path, obs, name)
    n = len(values.categories)
    pairs = np.unique(places[places >= 0].astype(np.int64) * n + values.codes[places >= 0])
    said = [meaning(text) for text in values.categories]
    for place, code in zip(pairs // n, pairs % n, strict=True):
        if said[code] != (other := expected.iloc[place]):
            refuse(path, name, f"{values.categories[code]!r} where its table has {other!r}")


def _spread(column: pd.Series[Any], places: npt.NDArray[np.intp]) -> Any:
    """Give each cell the value of its row; none where there is no row."""
    import pandas as pd

    values = pd.Categorical(column) if column.dtype == object else column.to_numpy()
    return pd.api.extensions.take(values, places, allow_fill=bool((places < 0).any()))


def _cids(path: Path, values: Any) -> Any:
    """Read ids of PubChem, which are numbers, or texts with or without ``.0``."""
    import pandas as pd

    found = pd.Categorical(values)
    read = [_cid(path, value) for value in found.categories]
    return pd.array([*read, None], dtype="Int64")[found.codes]


def _cid(path: Path, value: object) -> int | None:
    text = str(value)
    if text in {"nan", ""}:
        return None
    digits = text.removesuffix(".0")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 16):
        refuse(path, "pubchem_cid", f"{text[:40]!r}, which is no id of PubChem")
    return int(digits)


def _origins(lines: pd.Categorical) -> dict[str, Any]:
    """Say where each line came from; unknown where we do not know."""
    import pandas as pd

    result: dict[str, Any] = {}
    known = [LINES.get(str(accession)) for accession in lines.categories]
    for name, ids in (
        ("tissue_of_origin", ["" if line is None else line.origin for line in known]),
        ("sex_of_origin", ["" if line is None else line.sex for line in known]),
    ):
        labels = [ontology(i.partition(":")[0]).label(i) if i else "unknown" for i in ids]
        for column, texts in (
            (f"{name}_ontology_term_id", [i or "unknown" for i in ids]),
            (name, labels),
        ):
            result[column] = pd.Categorical(texts).take(lines.codes)
    return result
