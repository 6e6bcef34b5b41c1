"""Ages as authors write them: a value, a unit, and the stage it falls into."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from .fields import Vocabulary

__all__ = ["Age", "parse_age", "stages_of_age"]

Unit: TypeAlias = Literal["day", "week", "month", "year", "carnegie", "theiler"]

_NUMBER = r"(\d{1,3}(?:\.\d+)?)"
_UNITS: dict[str, Unit] = {
    "d": "day",
    "day": "day",
    "days": "day",
    "w": "week",
    "wk": "week",
    "wks": "week",
    "week": "week",
    "weeks": "week",
    "m": "month",
    "mo": "month",
    "mon": "month",
    "mos": "month",
    "mth": "month",
    "month": "month",
    "months": "month",
    "y": "year",
    "yo": "year",
    "yr": "year",
    "yrs": "year",
    "year": "year",
    "years": "year",
}
_BEFORE_BIRTH = (
    r"(?:pcw|pcd|wpc|dpc|wpf|dpf|hpf|gw|ga|post[ -]?(?:conception(?:al)?|fertili[sz]ation|coitum))"
)
_OLD = r"((?:[ -]?(?:old|of age|human stage|stage|age))*)"
_SPELLED = re.compile(rf"{_NUMBER}[ -]?({'|'.join(sorted(_UNITS, key=len, reverse=True))}){_OLD}")
_RANGE = re.compile(rf"{_NUMBER}[ -]*(?:-|_|to|\u2013)[ ]*{_NUMBER}[ -]?(years?|yrs?|yo|y)?{_OLD}")
_PRENATAL = (
    (re.compile(rf"(?:e|ed|embryonic day ?){_NUMBER}"), "day"),
    (re.compile(rf"{_NUMBER} ?(?:dpc|dpf|pcd)"), "day"),
    (re.compile(rf"{_NUMBER} ?(?:pcw|wpc|wpf)"), "week"),
    (re.compile(rf"pcw ?{_NUMBER}"), "week"),
    (re.compile(rf"{_NUMBER}[ -]?(?:weeks?|wks?)[ -]?{_BEFORE_BIRTH}"), "week"),
    (re.compile(rf"{_NUMBER}[ -]?days?[ -]?{_BEFORE_BIRTH}"), "day"),
)
_GESTATION = re.compile(
    rf"(?:gw|ga|gestational week|gestational age) ?{_NUMBER}(?: ?w(?:ee)?ks?)?"
    rf"|{_NUMBER} ?(?:gw|gestational weeks?|weeks?[ -](?:of )?gestation(?:al age)?)"
)
_POSTNATAL = re.compile(rf"(?:p|pnd?|postnatal day) ?{_NUMBER}")
_CARNEGIE = re.compile(r"(?:cs|carnegie(?: stage)?) ?0?(\d{1,2})([a-c]?)")
_THEILER = re.compile(r"(?:ts|theiler(?: stage)?) ?0?(\d{1,2})([a-d]?)")

_LMP_TO_FERTILISATION = 2
"""Weeks from the last menstrual period, from which gestation counts, to fertilisation."""

# Theiler stages by days post conception: the first that is not later than the age. After Theiler
# (1989), The House Mouse; whole stages only.
_THEILER_FROM = (
    *((0.0, 1), (1.0, 2), (2.0, 3), (3.0, 4), (4.0, 5), (4.5, 6), (5.0, 7), (6.0, 8), (6.5, 9)),
    *((7.0, 10), (7.5, 11), (8.0, 12), (8.5, 13), (9.0, 14), (9.5, 15), (10.0, 16), (10.5, 17)),
    *((11.0, 18), (11.5, 19), (12.0, 20), (13.0, 21), (14.0, 22), (15.0, 23), (16.0, 24)),
    *((17.0, 25), (18.0, 26)),
)
_LAST_PRENATAL_MOUSE_DAY = 19.5
_NEWBORN_MOUSE_DAYS = 4
"""Theiler stage 27 is "used for postnatal days 0 through 3", says its definition."""
# Carnegie stages by days post fertilisation, after O'Rahilly and Mueller (1987, 2010).
_CARNEGIE_FROM = (
    *((1, 1), (2, 2), (4, 3), (6, 4), (7, 5), (17, 6), (19, 7), (23, 8), (26, 9), (29, 10)),
    *((30, 11), (31, 12), (32, 13), (33, 14), (36, 15), (38, 16), (41, 17), (44, 18), (46, 19)),
    *((49, 20), (51, 21), (53, 22), (56, 23)),
)
_EMBRYO_DAYS = 57
"""Days after which stages of human development are weeks."""
_DECADES = (
    *("third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """An age."""

    value: float
    """How many units; of a range, its lower end. The number of a Carnegie or Theiler stage."""
    unit: Unit | None
    """None where nobody said: ``57``."""
    since: Literal["birth", "fertilisation"] | None = "birth"
    """From when it counts; None where nobody said: ``10 weeks``."""
    end: float | None = None
    """Upper end of a range, in the same unit."""
    part: str = ""
    """Letter of a stage that is divided, such as the a of Theiler stage 11a."""


def parse_age(text: str) -> Age | None:
    """Read an age.

    Parameters
    ----------
    text
        ``35 years``, ``24m``, ``E8.5``, ``P7``, ``GW22``, ``9 PCW``, ``CS12``, ``61-65 years``,
        ``57.0``. Gestation counts from the last menstrual period and is brought to fertilisation.

    Returns
    -------
    The age; None if the text is none.

    Examples
    --------
    >>> parse_age("24 months").unit, parse_age("57").unit
    ('month', None)
    """
    folded = " ".join(text.casefold().replace("_", "-").split())
    kinds: tuple[tuple[re.Pattern[str], Unit], ...]
    kinds = ((_CARNEGIE, "carnegie"), (_THEILER, "theiler"))
    for pattern, kind in kinds:
        if stage := pattern.fullmatch(folded):
            return Age(value=float(stage[1]), unit=kind, since="fertilisation", part=stage[2])
    if gestation := _GESTATION.fullmatch(folded):
        weeks = float(gestation[1] or gestation[2]) - _LMP_TO_FERTILISATION
        return Age(value=weeks, unit="week", since="fertilisation")
    for pattern, unit_name in _PRENATAL:
        if found := pattern.fullmatch(folded):
            return Age(value=float(found[1]), unit=_UNITS[unit_name], since="fertilisation")
    if found := _POSTNATAL.fullmatch(folded):
        return Age(value=float(found[1]), unit="day")
    if found := _SPELLED.fullmatch(folded):
        unit = _UNITS[found[2]]
        is_old = unit in ("month", "year") or bool(found[3])
        return Age(value=float(found[1]), unit=unit, since="birth" if is_old else None)
    if found := _RANGE.fullmatch(folded):
        unit_or_none: Unit | None = "year" if found[3] else None
        return Age(value=float(found[1]), end=float(found[2]), unit=unit_or_none)
    if re.fullmatch(_NUMBER, folded):
        return Age(value=float(folded), unit=None)
    return None


def stages_of_age(age: Age, known: Vocabulary) -> tuple[str, ...]:
    """Find the stages an age falls into.

    Parameters
    ----------
    age
        From `parse_age`.
    known
        Stages of human or mouse.

    Returns
    -------
    Term ids, the likeliest first; one if the age leaves no doubt, none if the vocabulary has no
    such stage. An age without a unit never leaves no doubt.
    """
    names = _human(age) if known.organism in (None, _HUMAN) else _mouse(age)
    if known.organism not in (None, _HUMAN, _MOUSE):
        return ()
    ids = [known.index.get(name, ()) for name in names]
    return tuple(dict.fromkeys(i for found in ids if len(found) == 1 for i in found))


_HUMAN, _MOUSE = "NCBITaxon:9606", "NCBITaxon:10090"


def _human(age: Age) -> list[str]:
    if age.unit is None:
        as_years = Age(value=age.value, end=age.end, unit="year")
        as_weeks = Age(value=age.value, unit="week", since="fertilisation")
        return [*_human(as_years), *(_human(as_weeks) if age.end is None else [])]
    if age.since is None:
        before, after = replace(age, since="fertilisation"), replace(age, since="birth")
        return [*_human(before), *_human(after)]
    if age.unit == "carnegie":
        return [f"carnegie stage {int(age.value):02}{age.part}"]
    if age.since == "fertilisation":
        days = age.value * (7 if age.unit == "week" else 1)
        return [_human_prenatal(days)] if days >= 1 else []
    if age.end is not None:
        low, high = int(age.value // 10), int((age.end - 1) // 10)
        if age.unit == "year" and low == high and 2 <= low < 2 + len(_DECADES):
            return [f"{_DECADES[low - 2]} decade stage"]
        return []
    if age.unit == "year":
        return [f"{int(age.value)}-year-old stage", *(["infant stage"] if age.value < 1 else [])]
    if age.unit == "month":
        months = int(age.value)
        return [f"{months // 12}-year-old stage" if months >= 24 else f"{months}-month-old stage"]
    days = age.value * (7 if age.unit == "week" else 1)
    return ["newborn stage (0-28 days)"] if days <= 28 else [f"{int(days // 30.4)}-month-old stage"]


def _human_prenatal(days: float) -> str:
    if days < _EMBRYO_DAYS:
        stage = max((number for start, number in _CARNEGIE_FROM if start <= days), default=1)
        return f"carnegie stage {stage:02}"
    week = int(days // 7) + 1
    if week >= 38:
        return "38th week post-fertilization and over stage"
    endings = {21: "21st", 22: "22nd", 23: "23rd", 31: "31st", 32: "32nd", 33: "33rd"}
    return f"{endings.get(week, f'{week}th')} week post-fertilization stage"


def _mouse(age: Age) -> list[str]:
    if age.unit == "theiler":
        return [f"theiler stage {int(age.value):02}{age.part}"]
    if age.end is not None or age.unit in (None, "carnegie"):
        return []
    if age.since == "fertilisation":
        days = age.value * (7 if age.unit == "week" else 1)
        if days >= _LAST_PRENATAL_MOUSE_DAY:
            return []
        stage = max(number for start, number in _THEILER_FROM if start <= days)
        return [f"theiler stage {stage:02}"]
    value = int(age.value)
    if age.unit == "year":
        return [f"{value * 12}-month-old stage"]
    if age.unit == "month":
        return [f"{value}-month-old stage"]
    if age.unit == "day" and age.since == "birth" and value < _NEWBORN_MOUSE_DAYS:
        return ["theiler stage 27"]
    if age.unit == "day" and value % 7 == 0 and value // 7 in (1, 2):
        return [f"{value // 7}-week-old stage"]
    return [f"{value}-{age.unit}-old stage"]
