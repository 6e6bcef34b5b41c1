from __future__ import annotations

import json

import pytest

from corpuscle.curation import CurationOptions, QualityRules, StructureOptions, parse_assignments
from corpuscle.errors import InputError, LabelMappingError


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


def test_rules_survive_as_json() -> None:
    options = CurationOptions(
        columns={"tissue": "organ"},
        quality=QualityRules(min_cells=100, drop=("duplicate", "empty"), primary_only=True),
        structure=StructureOptions(seed=3),
    )
    told = options.to_dict()
    assert told == {
        "columns": {"tissue": "organ"},
        "quality": {"min_cells": 100, "drop": ["empty", "duplicate"], "primary_only": True},
        "structure": {"seed": 3},
    }
    again = CurationOptions.from_dict(json.loads(json.dumps(told)))
    assert (again.to_dict(), again.quality) == (
        told,
        QualityRules(min_cells=100, drop=("empty", "duplicate"), primary_only=True),
    )


def test_rules_with_all_defaults_are_not_no_rules() -> None:
    told = CurationOptions(quality=QualityRules()).to_dict()
    assert told == {"quality": {}} != CurationOptions().to_dict()
    assert CurationOptions.from_dict(told).quality == QualityRules()


def test_options_are_checked_with_their_rules() -> None:
    with pytest.raises(InputError, match="drop names 'doublet'"):
        CurationOptions(quality=QualityRules(drop=("doublet",))).check()
