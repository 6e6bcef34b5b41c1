from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from corpuscle.curation import CurationOptions, open_source
from corpuscle.curation._organism import OrganismDecision, decide_organism
from corpuscle.errors import CorpuscleError, GeneMappingError, LabelMappingError, OrganismError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Decide = Callable[..., OrganismDecision]

HUMAN, MOUSE = "NCBITaxon:9606", "NCBITaxon:10090"


@pytest.fixture
def decide(write: Callable[..., Path], coded: Callable[..., Any]) -> Decide:
    """Decide the organism of four cells."""

    def make(
        genes: list[str],
        obs: dict[str, Any] | None = None,
        uns: dict[str, Any] | None = None,
        **options: Any,
    ) -> OrganismDecision:
        path = write(coded(4, len(genes)), genes, obs, uns=uns or {})
        with open_source(path) as source:
            texts = pd.Series(genes, dtype=object)
            return decide_organism(source, texts, CurationOptions(**options), {"X": "whole counts"})

    return make


COLUMN = "organism_ontology_term_id"
SAYS = {
    "nothing": (None, None),
    "obs": ({COLUMN: [HUMAN] * 4}, None),
    "obs words": ({"organism": ["human", "Homo sapiens", "HUMAN ", "homo_sapiens"]}, None),
    "obs with gaps": ({COLUMN: [HUMAN, None, "unknown", HUMAN]}, None),
    "obs words, ids empty": ({COLUMN: [np.nan] * 4, "organism": ["human"] * 4}, None),
    "obs category": (
        {"organism": pd.Categorical(["human"] * 4, categories=["alien", "human", "mouse"])},
        None,
    ),
    "uns": (None, {COLUMN: f" {HUMAN}"}),
    "uns array": (None, {"organism": np.asarray(["Homo sapiens"], dtype=object)}),
    "both": ({COLUMN: [HUMAN] * 4}, {COLUMN: HUMAN}),
}


@pytest.mark.parametrize(
    ("says", "method"),
    [
        ("nothing", "genes"),
        ("obs", "obs"),
        ("obs words", "obs"),
        ("obs with gaps", "obs"),
        ("obs words, ids empty", "obs"),
        ("obs category", "obs"),
        ("uns", "uns"),
        ("uns array", "uns"),
        ("both", "obs"),
    ],
)
def test_the_organism_is_taken_from_who_states_it(
    decide: Decide, human: list[str], says: str, method: str
) -> None:
    obs, uns = SAYS[says]
    decision = decide(human, obs, uns)
    assert (decision.organism.name, decision.method, decision.dropped.tolist()) == (
        "Homo sapiens",
        method,
        [False] * 4,
    )


@pytest.mark.parametrize(
    ("options", "dropped"),
    [
        ({"organism": "human"}, [False, True, False, True]),
        ({"constants": {"organism": "human"}}, [False, True, False, True]),
        ({"columns": {"organism": "species"}}, [False, False, False, False]),
        ({}, [False, True, False, True]),
    ],
)
def test_cells_of_another_organism_are_dropped(
    decide: Decide, human: list[str], options: dict[str, Any], dropped: list[bool]
) -> None:
    obs = {"organism": ["human", "mouse", None, MOUSE], "species": ["human"] * 4}
    assert decide(human, obs, **options).dropped.tolist() == dropped


def test_unknown_words_are_another_organism_if_the_curator_says_which_is_kept(
    decide: Decide, human: list[str]
) -> None:
    obs = {"organism": ["human", "xenopus (wild)", None, "human"]}
    assert decide(human, obs, organism="human").dropped.tolist() == [False, True, False, False]


def test_words_nobody_knows_do_not_contradict_the_curator(decide: Decide, human: list[str]) -> None:
    decision = decide(human, {"organism": ["line 7"] * 4}, organism="human")
    assert (decision.method, decision.dropped.tolist()) == ("option", [False] * 4)


def test_taxon_numbers_are_words_too(decide: Decide, human: list[str]) -> None:
    with pytest.raises(OrganismError, match="states organisms that we do not know: '9606'"):
        decide(human, {"organism": [9606] * 4})


SYMBOLS_OF_MANY = ["Actb", "Gapdh", "Cd4", "Cd8a", "Tp53"]


@pytest.mark.parametrize(
    ("genes", "obs", "uns", "options", "error", "message"),
    [
        ("human", {"organism": ["mouse"] * 4}, {}, {}, OrganismError, "is stated to be Mus musculus (obs), but its genes say otherwise: 60 of 60 features (100%) are gene ids of Homo sapiens. Correct what is stated"),
        ("human", {}, {"organism": "mouse"}, {}, OrganismError, "stated to be Mus musculus (uns)"),
        ("human", {}, {}, {"organism": "mouse"}, OrganismError, "stated to be Mus musculus (option)"),
        ("human", {}, {"organism": "Alien"}, {}, OrganismError, "is 'Alien'. 'Alien' is no organism we know."),
        ("human", {}, {"organism": ["human", "mouse"]}, {}, OrganismError, "is 'human, mouse'."),
        ("human", {}, {"organism": "human", COLUMN: MOUSE}, {}, OrganismError, f"says {COLUMN} '{MOUSE}' and organism 'human'. Correct one, or pass --organism."),
        ("human", {}, {}, {"organism": "alien"}, OrganismError, "Pass one of them as --organism."),
        ("human", {"organism": ["human", "alien", "alien", None]}, {}, {}, OrganismError, "states organisms that we do not know: 'alien' and 0 more, in 2 cells."),
        ("human", {}, {}, {"columns": {"organism": "kind"}}, LabelMappingError, "has no column 'kind' (--column organism=kind)"),
        ("symbols", {"organism": ["human", "mouse"] * 2}, {}, {}, OrganismError, f"states 2 organisms ({MOUSE}, {HUMAN}), and a dataset has one."),
        ("mouse", {"organism": ["human", "rat"] * 2}, {}, {}, OrganismError, "states 2 organisms"),
        ("symbols", {}, {}, {}, OrganismError, "is not stated in obs or uns, and its genes do not decide it"),
        ("xenograft", {}, {}, {}, OrganismError, "50% are gene ids of"),
        ("nonsense", {}, {}, {}, GeneMappingError, "are not genes: only 0.0% of 3 are known to any organism (first feature: 'x0'). Tried X: whole counts."),
        ("barnyard", {}, {}, {}, GeneMappingError, "(first feature: 'GRCh38_ENSG00000000003')"),
    ],
)  # fmt: skip
def test_doubt_is_refused(
    decide: Decide,
    human: list[str],
    mouse: list[str],
    genes: str,
    obs: dict[str, Any],
    uns: dict[str, Any],
    options: dict[str, Any],
    error: type[CorpuscleError],
    message: str,
) -> None:
    named = {
        "human": human,
        "mouse": mouse,
        "symbols": SYMBOLS_OF_MANY,
        "xenograft": [*human, *mouse],
        "nonsense": ["x0", "x1", "x2"],
        "barnyard": [*(f"GRCh38_{gene}" for gene in human), *(f"mm10_{gene}" for gene in mouse)],
    }
    with pytest.raises(error) as refused:
        decide(named[genes], obs, uns, **options)
    assert message in str(refused.value)
    assert "source.h5ad" in str(refused.value)
