"""Tables of Tahoe-100M: genes, samples, drugs and cell lines."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from ...errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

TABLES = ("gene_metadata", "sample_metadata", "drug_metadata", "cell_line_metadata")
"""In the order in which they follow the data."""
MAX_BYTES, MAX_ROWS = 2**28, 2**20
"""A larger table is refused unread: the largest real one has 62,710 rows."""
MAX_LITERAL = 500
"""Characters of a text that is parsed; the longest real one has 91."""
MAX_DOSE = 1e9
"""In any unit; the largest real one is 5."""
FIRST_TOKEN, LAST_TOKEN = 3, 2**20
"""Tokens of genes; 0, 1 and 2 mark padding, beginning and end."""
CONTROL = "DMSO_TF"
"""What untreated cells got; the name alone, since a drug is called after the solvent too."""
DRUG_FACTS = (
    "targets",
    "moa-broad",
    "moa-fine",
    "human-approved",
    "clinical-trials",
    "gpt-notes-approval",
    "canonical_smiles",
)
"""Texts about a drug."""

Kind = Literal["text", "integer", "number"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Everything the publisher says besides the cells."""

    genes: pd.DataFrame
    """``ensembl_id`` and ``token_id``, by symbol."""
    samples: pd.DataFrame
    """``plate``, ``drug``, ``drugname_drugconc`` and what the last means, by sample."""
    drugs: pd.DataFrame
    """`DRUG_FACTS` and ``pubchem_cid``, by trimmed name."""
    lines: pd.DataFrame
    """``cell_name``, ``Cell_ID_DepMap`` and ``Organ``, by accession of Cellosaurus."""


def read_tables(paths: Sequence[Path]) -> Tables:
    """Read the files of `TABLES`, in that order.

    Raises
    ------
    SchemaError
        If one is damaged, too large, lacks columns, repeats what is there once, or contradicts
        itself.
    """
    genes, samples, drugs, lines = paths
    return Tables(
        genes=read_genes(genes),
        samples=read_samples(samples),
        drugs=read_drugs(drugs),
        lines=read_lines(lines),
    )


def read_genes(path: Path) -> pd.DataFrame:
    """Read the genes, by symbol and sorted by token."""
    table = read_columns(path, {"gene_symbol": "text", "ensembl_id": "text", "token_id": "integer"})
    for column in table:
        require_unique(path, str(column), table[column])
    tokens = table["token_id"]
    wrong = tokens[(tokens < FIRST_TOKEN) | (tokens > LAST_TOKEN)]
    if len(wrong):
        said = f"token {wrong.iloc[0]}, which is none of a gene ({FIRST_TOKEN} to {LAST_TOKEN:,})"
        refuse(path, "token_id", said)
    return table.sort_values("token_id").set_index("gene_symbol")


def read_samples(path: Path) -> pd.DataFrame:
    """Read the samples with what was given to them."""
    names = ("sample", "plate", "drug", "drugname_drugconc")
    table = read_columns(path, dict.fromkeys(names, "text"))
    require_unique(path, "sample", table["sample"])
    doses = [parse_dose(text, path=path) for text in table["drugname_drugconc"]]
    columns = ["perturbation", "perturbation_dose", "perturbation_dose_unit"]
    for column, values in zip(columns, zip(*doses, strict=True), strict=False):
        table[column] = list(values)
    wrong = table[table["perturbation"] != table["drug"].str.strip()]
    if len(wrong):
        row = wrong.iloc[0]
        said = f"drug {row['drug']!r} in sample {row['sample']}, and {row['drugname_drugconc']!r}"
        refuse(path, "drugname_drugconc", said)
    return table.set_index("sample")


def read_drugs(path: Path) -> pd.DataFrame:
    """Read what is known of each drug, by its name without surrounding blanks."""
    names = ("drug", *DRUG_FACTS)
    table = read_columns(
        path, {**dict.fromkeys(names, "text"), "pubchem_cid": "number"}, nullable=DRUG_FACTS
    )
    names_of = table.pop("drug").str.strip()
    require_unique(path, "drug", names_of)
    return table.set_index(names_of)


def read_lines(path: Path) -> pd.DataFrame:
    """Read the cell lines, one row each: the file has one per driver mutation."""
    names = ("Cell_ID_Cellosaur", "cell_name", "Cell_ID_DepMap", "Organ")
    table = read_columns(path, dict.fromkeys(names, "text"), nullable=("Cell_ID_DepMap",))
    table = table.drop_duplicates()
    for column in ("Cell_ID_Cellosaur", "cell_name"):  # both ways, or the facts are not of a line
        require_unique(path, column, table[column])
    return table.set_index("Cell_ID_Cellosaur")


def parse_dose(text: str, *, path: Path) -> tuple[str, float, str]:
    """Read a drug and its dose: ``[('Infigratinib', 0.05, 'uM')]``.

    Parameters
    ----------
    text
        A literal of Python with one tuple. It is parsed, never evaluated.
    path
        The file, for messages.

    Returns
    -------
    The name without surrounding blanks, the dose and its unit.

    Raises
    ------
    SchemaError
        If the text is too long or anything else.
    """
    import ast

    shown = text if len(text) <= MAX_LITERAL else f"{text[:40]}… ({len(text):,} characters)"
    value: Any = None
    if len(text) <= MAX_LITERAL:
        with contextlib.suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            value = ast.literal_eval(text)
    is_one = isinstance(value, list) and len(value) == 1 and isinstance(value[0], tuple)
    name, dose, unit = value[0] if is_one and len(value[0]) == 3 else (None, None, None)
    is_number = isinstance(dose, int | float) and not isinstance(dose, bool)
    if not (isinstance(name, str) and isinstance(unit, str) and is_number and 0 <= dose < MAX_DOSE):
        refuse(path, "drugname_drugconc", f"{shown!r}, not one tuple of drug, dose and unit")
    return name.strip(), float(dose), unit


def read_columns(
    path: Path, columns: Mapping[str, Kind], *, nullable: Iterable[str] = ()
) -> pd.DataFrame:
    """Read columns of a small Parquet file; a number may always be missing.

    Raises
    ------
    SchemaError
        If the file is damaged or too large, or a column is missing, of another type or has nulls.
    """
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            about = file.metadata
            groups = [about.row_group(group) for group in range(about.num_row_groups)]
            n_bytes = sum(group.total_byte_size for group in groups)
            if about.num_rows > MAX_ROWS or max(n_bytes, path.stat().st_size) > MAX_BYTES:
                said = f"{about.num_rows:,} rows of {n_bytes:,} bytes, too many for such a table"
                refuse(path, "rows", said)
            check_schema(path, file.schema_arrow, columns)
            table = file.read(columns=list(columns))
    except SchemaError:
        raise
    except Exception as error:  # a damaged file raises what its library pleases
        raise unreadable(path, error) from error
    found: pd.DataFrame = table.to_pandas()
    for name, kind in columns.items():
        if kind != "number" and name not in nullable and found[name].isna().any():
            refuse(path, name, f"no value in row {int(found[name].isna().argmax()):,}")
    return found


def check_schema(path: Path, schema: Any, columns: Mapping[str, Kind]) -> None:
    """See that a Parquet file has columns of these kinds, once each."""
    import pyarrow as pa

    for name, kind in columns.items():
        if len(places := schema.get_all_field_indices(name)) != 1:
            said = f"{len(places)} columns of this name among {', '.join(schema.names)}"
            refuse(path, name, said)
        found = schema.field(name).type
        found = found.value_type if pa.types.is_dictionary(found) else found
        is_text = pa.types.is_string(found) or pa.types.is_large_string(found)
        fits = {
            "text": is_text,
            "integer": pa.types.is_integer(found),
            "number": pa.types.is_integer(found) or pa.types.is_floating(found),
        }
        if not fits[kind]:
            refuse(path, name, f"values of type {found} where {kind} is expected")


def require_unique(path: Path, field: str, values: pd.Series[Any] | pd.Index[Any]) -> None:
    """See that no value comes twice."""
    if (repeated := values.duplicated()).any():
        refuse(path, field, f"{values[repeated].tolist()[0]!r} more than once")


def refuse(path: Path, field: str, said: str) -> NoReturn:
    """Say that a file is not as the publisher describes it."""
    msg = (
        f"{field} of {path} has {said}. "
        "This is not the Tahoe-100M that we know: fetch the file again, or report its new form."
    )
    raise SchemaError(msg, {"file": str(path), "field": field})


def unreadable(path: Path, error: Exception) -> SchemaError:
    """Say that a file is damaged."""
    msg = (
        f"{path} cannot be read as Parquet: {type(error).__name__}: {error}. "
        "It is cut or damaged: fetch it again."
    )
    return SchemaError(msg, {"file": str(path), "format": "parquet"})
