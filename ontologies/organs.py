"""Which organs a name speaks of: a cell type of the lung is likely among cells of the lung."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from .terms import ontology
from .wording import tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["OrganWords", "organ_words"]

# Adjectives and parts that stand for an organ: word, organ.
_PARTS = {
    "adipocyte": "adipose",
    "airway": "lung",
    "alveolar": "lung",
    "bladder": "bladder",
    "bronchial": "lung",
    "bronchus": "lung",
    "cardiac": "heart",
    "cerebellar": "cerebellum",
    "cerebral": "brain",
    "colon": "intestine",
    "colonic": "intestine",
    "cortical": "cortex",
    "decidual": "placenta",
    "dermis": "skin",
    "duodenum": "intestine",
    "epidermal": "skin",
    "epidermis": "skin",
    "fat": "adipose",
    "gastric": "stomach",
    "glomerular": "kidney",
    "gut": "intestine",
    "hepatic": "liver",
    "hepatocyte": "liver",
    "hippocampal": "hippocampus",
    "ileum": "intestine",
    "intestinal": "intestine",
    "islet": "pancreas",
    "jejunum": "intestine",
    "mammary": "breast",
    "marrow": "marrow",
    "medullary": "medulla",
    "muscular": "muscle",
    "nasal": "nose",
    "nephric": "kidney",
    "nephron": "kidney",
    "neural": "brain",
    "oral": "mouth",
    "ovarian": "ovary",
    "pancreatic": "pancreas",
    "placental": "placenta",
    "pneumocyte": "lung",
    "prostatic": "prostate",
    "pulmonary": "lung",
    "renal": "kidney",
    "respiratory": "lung",
    "retinal": "retina",
    "splenic": "spleen",
    "testicular": "testis",
    "thymic": "thymus",
    "thymocyte": "thymus",
    "trachea": "lung",
    "tracheobronchial": "lung",
    "trophoblast": "placenta",
    "tubule": "kidney",
    "uterine": "uterus",
    "vascular": "vessel",
}
# One-word names of UBERON that say nothing of where.
_VAGUE = frozenset(
    [
        *("body", "bud", "cavity", "cell", "disc", "duct", "epithelium", "gland", "head", "layer"),
        *("limb", "membrane", "mucosa", "nerve", "organ", "part", "region", "root", "stroma"),
        *("surface", "system", "tail", "tip", "tissue", "tube", "vessel", "wall"),
    ]
)
_NEAR = 4
"""Steps up the hierarchy of tissues within which a whole still says where."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrganWords:
    """Words that name organs, each with a number."""

    numbers: dict[str, int]

    def of(self, words: Iterable[str]) -> frozenset[int]:
        """Give the numbers of the organs that words name."""
        return frozenset(
            self.numbers[organ]
            for word in words
            if (organ := _PARTS.get(word, word)) in self.numbers
        )

    def of_tissue(self, tissue: str) -> frozenset[int]:
        """Give the organs of a tissue: a term id, several joined by ``|``, or words."""
        found: set[int] = set()
        uberon = ontology("UBERON")
        for part in tissue.split("|"):
            term_id = part.strip() if part.strip() in uberon else _by_letters().get(_letters(part))
            if term_id is None:
                found |= self.of(tokens(part))
                continue
            found |= self.of(tokens(uberon.label(term_id)))
            for above, distance in uberon.ancestors(term_id).items():
                if distance <= _NEAR and above in uberon:
                    found |= self.of(tokens(uberon.label(above)))
        return frozenset(found)

    def matrix(self, sets: Sequence[frozenset[int]]) -> Any:
        """Write sets of organs as a CSR matrix of ones, ``(len(sets), n_organs)``."""
        import numpy as np
        from scipy import sparse

        lengths = np.array([len(organs) for organs in sets], dtype=np.int64)
        columns = np.array([o for organs in sets for o in sorted(organs)], dtype=np.int64)
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        ones = np.ones(len(columns), dtype=np.float32)
        return sparse.csr_matrix((ones, columns, indptr), shape=(len(sets), len(self.numbers)))


@cache
def organ_words() -> OrganWords:
    """Collect the organ words, once per process.

    Returns
    -------
    One-word names of UBERON, less those that say nothing of where, and the organs of adjectives.
    """
    names = {
        label.casefold() for _, term in ontology("UBERON").current() for label in [term["label"]]
    }
    one_word = {name for name in names if re.fullmatch("[a-z]{3,}", name)} - _VAGUE
    words = sorted(one_word | set(_PARTS.values()))
    return OrganWords(numbers={word: number for number, word in enumerate(words)})


def _letters(text: str) -> str:
    return re.sub("[^a-z]", "", text.casefold())


@cache
def _by_letters() -> dict[str, str]:
    """Tissues by the letters of their name, for names written without blanks."""
    return {_letters(term["label"]): i for i, term in ontology("UBERON").current()}
