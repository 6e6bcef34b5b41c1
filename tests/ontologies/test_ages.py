from __future__ import annotations

import pytest

from corpuscle.ontologies import map_labels, parse_age
from corpuscle.ontologies.ages import Age


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("35 years", Age(value=35, unit="year")),
        ("35-year", Age(value=35, unit="year")),
        ("35yo", Age(value=35, unit="year")),
        ("24m", Age(value=24, unit="month")),
        ("8 weeks old", Age(value=8, unit="week")),
        ("8 weeks", Age(value=8, unit="week", since=None)),
        ("9.9Wk", Age(value=9.9, unit="week", since=None)),
        ("P7", Age(value=7, unit="day")),
        ("E8.5", Age(value=8.5, unit="day", since="fertilisation")),
        ("9 PCW", Age(value=9, unit="week", since="fertilisation")),
        ("GW22", Age(value=20, unit="week", since="fertilisation")),
        ("20 weeks gestation", Age(value=18, unit="week", since="fertilisation")),
        ("CS12", Age(value=12, unit="carnegie", since="fertilisation")),
        ("Theiler stage 11a", Age(value=11, unit="theiler", since="fertilisation", part="a")),
        ("61_65", Age(value=61, end=65, unit=None)),
        ("61-65 years", Age(value=61, end=65, unit="year")),
        ("57.0", Age(value=57, unit=None)),
        ("adult", None),
        ("GSM123", None),
        ("", None),
    ],
)
def test_age_is_read(text: str, expected: Age | None) -> None:
    assert parse_age(text) == expected


@pytest.mark.parametrize(
    ("label", "organism", "term"),
    [
        ("35-year", "human", "35-year-old stage"),
        ("6 months", "human", "6-month-old stage"),
        ("30 months", "human", "2-year-old stage"),
        ("9 PCW", "human", "10th week post-fertilization stage"),
        ("GW22", "human", "21st week post-fertilization stage"),
        ("30 dpf", "human", "Carnegie stage 11"),
        ("carnegie 12", "human", "Carnegie stage 12"),
        ("61-65 years", "human", "seventh decade stage"),
        ("24m", "mouse", "24-month-old stage"),
        ("8 weeks", "mouse", "8-week-old stage"),
        ("E14.5", "mouse", "Theiler stage 22"),
        ("P7", "mouse", "1-week-old stage"),
        ("P0", "mouse", "Theiler stage 27"),
        ("P3", "mouse", "Theiler stage 27"),
        ("P4", "mouse", "4-day-old stage"),
        ("theiler 15", "mouse", "Theiler stage 15"),
    ],
)
def test_age_leads_to_its_stage(label: str, organism: str, term: str) -> None:
    (row,) = map_labels([label], field="development_stage", organism=organism).to_dict("records")
    assert (row["term_label"], row["method"]) == (term, "age")


@pytest.mark.parametrize("label", ["57", "9.9Wk", "61_65", "120"])
def test_age_whose_unit_or_beginning_nobody_gave_is_not_mapped(label: str) -> None:
    (row,) = map_labels([label], field="development_stage", organism="human").to_dict("records")
    assert (row["outcome"], row["method"]) == ("ambiguous", "age")
    assert row["candidates"]


def test_age_of_a_rabbit_has_no_stage() -> None:
    (row,) = map_labels(["2 years"], field="development_stage", organism="rabbit").to_dict(
        "records"
    )
    assert (row["outcome"], row["candidates"]) == ("unmapped", ())
