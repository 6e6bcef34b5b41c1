from __future__ import annotations

import pytest

from corpuscle.curation import CurationOptions, parse_assignments
from corpuscle.errors import LabelMappingError


def test_only_what_was_decided_is_told() -> None:
    options = CurationOptions(organism="human", constants={"tissue": "lung"})
    assert options.to_dict() == {"organism": "human", "constants": {"tissue": "lung"}}


def test_assignments_are_read() -> None:
    pairs = ["tissue=organ", "assay=10x 3' v3=new"]
    assert parse_assignments(pairs, option="--constant", fields=("tissue", "assay")) == {
        "tissue": "organ",
        "assay": "10x 3' v3=new",
    }


@pytest.mark.parametrize("pair", ["tissue", "tissue=", "=lung", "organ=lung"])
def test_what_is_no_assignment_is_refused(pair: str) -> None:
    with pytest.raises(LabelMappingError) as refused:
        parse_assignments([pair], option="--column", fields=("tissue", "assay"))
    assert str(refused.value) == (
        f"--column {pair!r} is not FIELD=VALUE with FIELD one of tissue, assay."
    )


def test_a_field_given_twice_is_refused() -> None:
    with pytest.raises(LabelMappingError, match="--column gives tissue twice: 'a' and 'b'"):
        parse_assignments(["tissue=a", "tissue=b"], option="--column", fields=("tissue",))


def test_a_field_is_a_column_or_a_constant() -> None:
    options = CurationOptions(columns={"tissue": "organ"}, constants={"tissue": "lung"})
    with pytest.raises(LabelMappingError, match="both as column 'organ' and as constant 'lung'"):
        options.check()
