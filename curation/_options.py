"""What a curator may decide about a dataset."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from ..errors import LabelMappingError
from ._rules import QualityRules, StructureOptions, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class CurationOptions:
    """Decisions that the file itself does not carry."""

    organism: str | None = None
    """Taxon id or name. Decided from the file by default."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Field to obs column, where the column is not called as CELLxGENE calls it."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """Field to the label that holds for every cell of the dataset."""
    layer: str | None = None
    """Matrix with the raw counts, where several layers could be it."""
    gene_column: str | None = None
    """Column of var with the gene ids or symbols; ``index`` for the index."""
    genome: str | None = None
    """Genome of a 10x file of several."""
    min_gene_share: float = 0.5
    """Least share of the features that must be resolved to genes."""
    quality: QualityRules | None = None
    """Flags and limits; only what is always measured by default."""
    structure: StructureOptions | None = None
    """Clusters, neighbours and groups; none by default."""

    def check(self) -> None:
        """See that no field is decided twice, and that the rules can be followed.

        Raises
        ------
        LabelMappingError
            If a field has both a column and a constant.
        InputError
            If the rules of quality are none, see `QualityRules.check`, or structure is asked for
            with a number that is out of range.
        """
        for name in sorted({*self.columns} & {*self.constants}):
            msg = (
                f"{name} is given both as column {self.columns[name]!r} and as constant "
                f"{self.constants[name]!r}. Leave one of them out."
            )
            raise LabelMappingError(msg, {"field": name})
        if self.structure is not None:
            self.structure.check()
        if self.quality is not None:
            self.quality.check()

    def to_dict(self) -> dict[str, Any]:
        """Everything that was decided, without the defaults. JSON-serialisable."""
        return told(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Take up what `to_dict` told.

        Raises
        ------
        TypeError
            If there is no option of a name.
        """
        nested: dict[str, Any] = {}
        if values.get("quality") is not None:
            rules = values["quality"]
            nested["quality"] = QualityRules(**{**rules, "drop": tuple(rules.get("drop", ()))})
        if values.get("structure") is not None:
            nested["structure"] = StructureOptions(**values["structure"])
        return cls(**{**values, **nested})


def parse_assignments(
    pairs: Iterable[str], *, option: str, fields: Iterable[str]
) -> dict[str, str]:
    """Read ``FIELD=VALUE`` texts of the command line.

    Raises
    ------
    LabelMappingError
        If a text has no ``=``, its left side is not one of `fields`, or comes twice.
    """
    allowed = tuple(fields)
    result: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not value or name not in allowed:
            msg = f"{option} {pair!r} is not FIELD=VALUE with FIELD one of {', '.join(allowed)}."
            raise LabelMappingError(msg, {"option": option, "value": pair})
        if name in result:
            msg = f"{option} gives {name} twice: {result[name]!r} and {value!r}. Leave one out."
            raise LabelMappingError(msg, {"option": option, "value": pair})
        result[name] = value
    return result
