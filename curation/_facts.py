"""What the source of a dataset says of it, besides the file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from ._options import CurationOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """Known facts of a source. What a curator decides comes before them."""

    says: str
    """Who says so: the source and its release."""
    organism: str | None = None
    """Taxon id of the whole dataset."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Field to the obs column that holds it."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """Field to the term id, or ``na``, that holds for every cell."""
    terms: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Field to term ids by label: what the source's own words and codes stand for."""
    evidence: Mapping[str, str] = field(default_factory=dict)
    """Why, by field; kept with every decision about the field."""
    gene_column: str | None = None
    """Column of var with the gene ids."""
    layer: str | None = None
    """Matrix with the raw counts."""

    def complete(self, options: CurationOptions) -> CurationOptions:
        """Add columns and constants for the fields that the curator did not decide."""
        decided = {*options.columns, *options.constants}
        columns = {f: c for f, c in self.columns.items() if f not in decided}
        constants = {f: v for f, v in self.constants.items() if f not in decided}
        return replace(
            options,
            gene_column=options.gene_column or self.gene_column,
            layer=options.layer or self.layer,
            columns={**columns, **options.columns},
            constants={**constants, **options.constants},
        )

    def remember(self, name: str, memory: pd.DataFrame | None) -> pd.DataFrame | None:
        """Add `terms` of a field to the memory, but for labels that it decides."""
        import pandas as pd

        if not (terms := self.terms.get(name)):
            return memory
        known = set() if memory is None else set(_deciding(memory)["source_label"])
        new = [(label, term) for label, term in sorted(terms.items()) if label not in known]
        rows = pd.DataFrame(new, columns=["source_label", "term_id"], dtype=object)
        rows = rows.assign(scope="global", organism="", reviewer="", version="")
        return rows if memory is None else pd.concat([memory, rows], ignore_index=True).fillna("")

    def attribute(
        self,
        decisions: pd.DataFrame,
        name: str,
        options: CurationOptions,
        memory: pd.DataFrame | None,
    ) -> pd.DataFrame:
        """Say which decisions rest on the source, and why.

        Parameters
        ----------
        decisions
            Rows of `map_labels`.
        name
            The field.
        options
            What the curator decided, without the facts.
        memory
            What curators decided, likewise.

        Returns
        -------
        The rows with ``comment``, and method ``source`` where the source decided.
        """
        known = set() if memory is None else set(_deciding(memory)["source_label"])
        by_source = decisions["source_label"].isin(set(self.terms.get(name, {})) - known)
        by_source &= decisions["method"] == "memory"
        if name in self.constants and name not in {*options.columns, *options.constants}:
            by_source |= decisions["outcome"] == "mapped"
        is_overruled = name in {*options.columns, *options.constants} and not by_source.any()
        comment = "" if is_overruled or name not in self.evidence else self._comment(name)
        return decisions.assign(
            method=decisions["method"].mask(by_source, "source"), comment=comment
        )

    def _comment(self, name: str) -> str:
        return f"{self.says}: {self.evidence[name]}"


def _deciding(memory: pd.DataFrame) -> pd.DataFrame:
    return memory[memory["scope"] == "global"]
