"""Stages of the mouse embryos of the atlas: from days and, where somites say more, from those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import SchemaError
from ...ontologies import ontology, vocabulary
from ...ontologies.ages import parse_age, stages_of_age

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

MOUSE = "NCBITaxon:10090"
PRESOMITE, FIRST_SOMITES, MORE_SOMITES = "MmusDv:0000017", "MmusDv:0000108", "MmusDv:0000109"
SOMITES = {0: PRESOMITE, **dict.fromkeys(range(1, 5), FIRST_SOMITES)}
SOMITES |= dict.fromkeys(range(5, 8), MORE_SOMITES)
"""Stages that are defined by their number of somites: Theiler 11, 12a and 12b."""
LAST_DAY_OF_FEW = 9.0
"""Days after which an embryo has more somites than those."""
EVIDENCE = (
    "Up to 7 somites, the definitions of Theiler stages 11 (none), 12a (1 to 4) and 12b (5 to 7) "
    "decide. Otherwise the day does, through the usual convention of embryonic days and Theiler "
    "stages (E8.0 12, E8.5 13, E9.0 14 and so on), not through the embryo's own morphology; "
    "P0 is stage 27, by its definition. The range E8.0-E8.5 becomes the narrowest term that "
    "covers it: organogenesis where somites were counted, else embryonic stage, since embryos "
    "without somites are in it."
)
"""Why the terms are what they are."""


def stage_labels(
    days: pd.Series[Any], somites: pd.Series[Any], *, prefix: str = "", where: str
) -> tuple[pd.Categorical, dict[str, str]]:
    """Say for each cell what decides its stage, and what term that stands for.

    Parameters
    ----------
    days
        ``E8.75``, ``E8.0-E8.5``, ``P0``, as the authors write them.
    somites
        How many the embryo has; missing where nobody says. Integers.
    prefix
        What the days lack: ``E`` for ``8.5``.
    where
        The table, for messages.

    Returns
    -------
    The day, with the somites where they count: ``E8.0-E8.5, 3 somites``. And term ids by label;
    a day that is none has no term.

    Raises
    ------
    SchemaError
        If an embryo has too few somites for its day.
    """
    import pandas as pd

    day_codes, words = pd.factorize(days.astype(object))
    counts = somites.to_numpy(np.int64, na_value=-1)
    _, first, codes = np.unique(
        day_codes.astype(np.int64) * 1_000 + counts, return_index=True, return_inverse=True
    )
    labels: list[str | None] = []
    terms: dict[str, str] = {}
    for row in first:
        if day_codes[row] < 0:
            labels.append(None)
            continue
        day, count = str(words[day_codes[row]]), None if counts[row] < 0 else int(counts[row])
        _check(prefix + day, count, where)
        label, term = _stage(day, count, prefix)
        labels.append(label)
        if term is not None:
            terms[label] = term
    return pd.Categorical(np.asarray(labels, dtype=object)).take(codes), terms


def specimens(days: pd.Series[Any], *, prefix: str = "") -> tuple[pd.Categorical, dict[str, str]]:
    """Say for each cell what its nucleus was taken from, and the term of UBERON for that."""
    import pandas as pd

    terms = {"whole embryo": "UBERON:0000922", "whole newborn": "UBERON:0000468"}
    codes, words = pd.factorize(days.astype(object))
    named = [_specimen(prefix + str(day)) for day in words]
    used = {label: terms[label] for label in named if label is not None}
    return pd.Categorical(np.asarray([*named, None], dtype=object)).take(codes), used


def _specimen(day: str) -> str | None:
    ages = [parse_age(part) for part in day.split("-")]
    if not all(age is not None and age.unit == "day" for age in ages):
        return None
    since = {age.since for age in ages if age is not None}
    return {"fertilisation": "whole embryo", "birth": "whole newborn"}.get(str(since.pop()))


def _check(day: str, somites: int | None, where: str) -> None:
    age = parse_age(day.split("-")[0])
    if age is None or somites is None or somites not in SOMITES:
        return
    if age.since != "fertilisation" or age.value > LAST_DAY_OF_FEW:
        msg = (
            f"{where} says that an embryo of day {day} has {somites} somites, and one of that age "
            "has more. One of the columns day and somites is wrong: compare it with the "
            "publisher's other tables."
        )
        raise SchemaError(msg, {"table": where, "day": day, "somites": somites})


def _stage(day: str, somites: int | None, prefix: str) -> tuple[str, str | None]:
    ends = day.split("-")
    counted = f"{day}, {somites} somites"
    if somites is not None and somites in SOMITES:
        return counted, SOMITES[somites]
    found = [_stage_of_day(prefix + end) for end in ends]
    if None in found:
        return day, None
    covered = {stage for stage in found if stage is not None}
    if len(ends) > 1 and somites is None and covered & {"MmusDv:0000019"}:
        covered.add(PRESOMITE)
    return counted if len(ends) > 1 and somites is not None else day, _narrowest(covered)


def _stage_of_day(day: str) -> str | None:
    age = parse_age(day)
    known = vocabulary("development_stage", organism=MOUSE)
    found = () if age is None or age.unit != "day" else stages_of_age(age, known)
    return found[0] if len(found) == 1 else None


def _narrowest(stages: Iterable[str]) -> str | None:
    """Find the term that covers stages and has no other such term below it."""
    store = ontology("MmusDv")
    above = [{stage, *store.ancestors(stage)} for stage in stages]
    covering = set.intersection(*above)
    wider = {term for one in covering for term in store.ancestors(one)}
    narrowest = covering - wider
    return narrowest.pop() if len(narrowest) == 1 else None
