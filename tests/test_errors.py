from __future__ import annotations

import pickle

import pytest

from corpuscle import errors
from corpuscle.errors import CorpuscleError

CLASSES = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_survives_pickling_with_its_details(cls: type[CorpuscleError]) -> None:
    error = pickle.loads(pickle.dumps(cls("what, where, what next", {"file": "a.h5ad"})))
    assert type(error) is cls
    assert (str(error), error.details) == ("what, where, what next", {"file": "a.h5ad"})


def test_every_kind_is_stable_and_its_own() -> None:
    assert {cls.__name__: cls.kind for cls in CLASSES} == {
        "ConflictError": "conflict",
        "CorpuscleError": "error",
        "CountsError": "counts",
        "CrashError": "crash",
        "GeneMappingError": "genes",
        "InputError": "input",
        "IntegrityError": "integrity",
        "LabelMappingError": "labels",
        "NotFoundError": "not_found",
        "OrganismError": "organism",
        "QualityError": "quality",
        "SchemaError": "schema",
        "TransferError": "transfer",
    }


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        (errors.CountsError, ValueError),
        (errors.CrashError, RuntimeError),
        (errors.NotFoundError, KeyError),
        (errors.TransferError, OSError),
    ],
)
def test_an_error_is_also_the_builtin_a_caller_expects(
    cls: type[CorpuscleError], builtin: type[Exception]
) -> None:
    assert issubclass(cls, builtin)


def test_every_class_of_the_tree_is_public_and_drawn() -> None:
    def below(cls: type[CorpuscleError]) -> set[type[CorpuscleError]]:
        return {cls}.union(*(below(sub) for sub in cls.__subclasses__()))

    own = {cls.__name__ for cls in below(CorpuscleError) if cls.__module__ == errors.__name__}
    assert own == set(errors.__all__)
    assert all(name in str(errors.__doc__) for name in own)
