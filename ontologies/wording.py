"""What an author's label says, less the noise around it."""

from __future__ import annotations

import csv
import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Wording", "name_forms", "tokens", "word_key", "wording"]

_ABBREVIATIONS = Path(__file__).resolve().parent / "data" / "abbreviations.tsv"
_LONGEST = 4
"""Words of the longest abbreviation."""

_GREEK = str.maketrans(
    {
        "\N{GREEK SMALL LETTER ALPHA}": "alpha ",
        "\N{GREEK SMALL LETTER BETA}": "beta ",
        "\N{GREEK SMALL LETTER GAMMA}": "gamma ",
        "\N{GREEK SMALL LETTER DELTA}": "delta ",
        "\N{GREEK SMALL LETTER EPSILON}": "epsilon ",
        "\N{GREEK SMALL LETTER KAPPA}": "kappa ",
        "\N{GREEK SMALL LETTER LAMDA}": "lambda ",
        "\N{GREEK SMALL LETTER MU}": "mu ",
        "\N{GREEK SMALL LETTER PHI}": "phi ",
        "\N{GREEK PHI SYMBOL}": "phi ",
        "\N{GREEK CAPITAL LETTER PHI}": "phi ",
    }
)
_TOKEN = re.compile(r"[A-Za-z0-9]+(?:'[a-z]\b)?(?:[+]|-(?![A-Za-z0-9]))?")
_MARKER = r"\b([a-z]+\d+[a-z]?\d*)[ -]?"
_REWRITES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"[_]", " "),
        (r"AM[\u03c6\u03d5\u03a6]", " alveolar mphi "),
        (r"M[\u03c6\u03d5\u03a6]", " mphi "),
        (r"(?<=[a-z]{3})(?=[A-Z])", " "),  # SmoothMuscle
        (r"(?<=[A-Z])(?!Aergic)(?=[A-Z][a-z]{3,})", " "),  # TCells, not GABAergic
        (rf"(?i){_MARKER}(?:positive|pos)\b", r"\1+"),
        (rf"(?i){_MARKER}(?:negative|neg)\b", r"\1-"),
        (r"(?i)\b(cd\d+[a-z]?)[ -]?(bright|dim|high|low|int)\b", r"\1 \2"),
        (r"(?i)\bcd4/8\+", "cd4+ cd8+"),
    )
)
_PLURALS = {
    "alveoli": "alveolus",
    "bronchi": "bronchus",
    "endothelia": "endothelium",
    "epithelia": "epithelium",
    "ganglia": "ganglion",
    "glomeruli": "glomerulus",
    "mesothelia": "mesothelium",
    "nuclei": "nucleus",
    "oogonia": "oogonium",
    "ova": "ovum",
    "spermatogonia": "spermatogonium",
    "villi": "villus",
}
_SAME = {"cd4": "cd4+", "cd8": "cd8+", "cd8a": "cd8+", "cd8b": "cd8+"}

# Words that say how a group of cells was found, not what it is.
_NOISE = frozenset(
    [
        *("cluster", "dissoc", "doublet", "hi", "high", "like", "lo", "low", "lowquality"),
        *("mixed", "pop", "population", "quality", "stress", "stressed", "subset"),
        *("unassigned", "unclassified", "undefined", "unk"),
    ]
)
# Words that say in which state, of which age or host; an ontology has them for some terms only.
_STATES = frozenset(
    [
        *("activated", "adult", "circulating", "cycling", "differentiated", "differentiating"),
        *("donor", "early", "embryo", "embryonic", "fetal", "fetus", "foetal", "formed", "g1"),
        *("g2m", "healthy", "human", "immature", "infiltrating", "late", "mature", "mild"),
        *("moderate", "mouse", "neonatal", "new", "newborn", "newly", "normal", "old", "other"),
        *("pediatric", "phase", "resident", "resting", "s", "severe", "transitional"),
        *("tumor", "unknown", "young"),
    ]
)
_CODE = re.compile(r"(?i)\d+[a-z]?|c\d+")
_NUMBERED = re.compile(r"([A-Za-z]{2,})\d{1,2}[a-z]?")
_COUNTED = frozenset({"class", "group", "layer", "stage", "type", "grade", "diabetes"})
"""Words whose number belongs to the name: type 2."""

_PARENTHESES = re.compile(r"\([^)]*\)?")
_GENE_LEVEL = re.compile(r"[_ ]+(?!(?i:cd[48]))[A-Za-z0-9.-]+\s+(?:high|low)\b")
_SEPARATOR = re.compile(r"_|:|\s-\s|/|,|;|\||\(|\)|\band\b|&")
_STOP = frozenset({"cell", "of", "the", "type", "and", "in", "a"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """A label as words in lower case, singular, from the most to the least of it."""

    plain: str
    """Every word as written."""
    full: str
    """Every word, abbreviations spelt out."""
    core: str
    """Without parentheses, cluster numbers, gene levels and words of quality."""
    soft: str
    """Without words of state, age and host too."""
    head: str
    """The part before the first separator."""
    tail: str
    """The part after the last separator."""
    context: tuple[str, ...]
    """Words that stood in parentheses: often where the cells are from."""
    n_parts: int
    """How many parts separators made."""


VIEWS = ("core", "soft", "head", "tail", "full")
"""The forms of a label that are compared with names."""


@lru_cache(maxsize=200_000)
def tokens(text: str) -> tuple[str, ...]:
    """Split a text into words: lower case, singular, markers with their sign.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    The words.

    Examples
    --------
    >>> tokens("CD16-negative NK cells")
    ('cd16-', 'nk', 'cell')
    """
    return tuple(_singular(word.lower()) for word in _words(text))


@lru_cache(maxsize=200_000)
def wording(text: str, *, field: str) -> Wording:
    """Find the words of a label.

    Parameters
    ----------
    text
        The label.
    field
        One of `FIELDS`; abbreviations and what is noise depend on it.

    Returns
    -------
    Its wording.

    Examples
    --------
    >>> wording("AT2_cycling (Lung)", field="cell_type").soft
    'type ii pneumocyte'
    """
    short = _abbreviations().get(field, {})
    plain = " ".join(tokens(text))
    inside = [word for part in re.findall(r"\(([^()]*)\)?", text) for word in tokens(part)]
    if field == "cell_type" and inside and _are_organs(inside):
        text = _PARENTHESES.sub(" ", text)
    full = " ".join(_expand(_words(text), short))
    bare = _GENE_LEVEL.sub(" ", _PARENTHESES.sub(" ", text))
    core_words = _clean(bare, short)
    core = " ".join(core_words) or full
    soft = " ".join(word for word in core_words if word not in _STATES) or core
    parts = [" ".join(_clean(p, short)) for p in _SEPARATOR.split(text) if re.search("[A-Za-z]", p)]
    parts = [part for part in parts if part] or [core]
    return Wording(
        plain=plain,
        full=full,
        core=core,
        soft=soft,
        head=parts[0],
        tail=parts[-1],
        context=tuple(inside),
        n_parts=len(parts),
    )


def name_forms(name: str) -> tuple[str, ...]:
    """Give the ways a name of a term may be worded: with and without species, turned around.

    Parameters
    ----------
    name
        Name or synonym of a term.

    Returns
    -------
    Distinct forms, that of the name as it is first.

    Examples
    --------
    >>> name_forms("fibroblast of lung")
    ('fibroblast of lung', 'lung fibroblast')
    """
    plain = " ".join(tokens(name))
    bare = re.sub(r" (?:human|mouse)$", "", plain)
    bare = re.sub(r"\bsensu \w+(?: \w+)*$", "", bare).strip()
    forms = [plain, bare, re.sub(r"(?<=.) alpha beta t\b", " t", bare)]
    if turned := re.fullmatch(r"(.+) of (?:the )?(.+)", bare):
        forms.append(f"{turned[2]} {turned[1]}")
    return tuple(dict.fromkeys(form for form in forms if form))


@lru_cache(maxsize=200_000)
def word_key(text: str) -> str:
    """Give the words of a wording in one order, without those that carry nothing.

    Parameters
    ----------
    text
        A wording.

    Returns
    -------
    Sorted words; the text itself if nothing is left.

    Examples
    --------
    >>> word_key("fibroblast of lung") == word_key("lung fibroblast cell")
    True
    """
    return " ".join(sorted(set(text.split()) - _STOP)) or text


def _are_organs(words: Sequence[str]) -> bool:
    from .organs import organ_words  # which needs `tokens`

    return bool(organ_words().of(words))


def _words(text: str) -> list[str]:
    text = unicodedata.normalize("NFKC", text)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    found = []
    for word in _TOKEN.findall(text.translate(_GREEK)):
        is_marker = re.match(r"[A-Za-z]+\d", word) or word[-1] not in "+-"
        stripped = word if is_marker else word[:-1]
        if stripped:
            found.append(stripped)
    return found


def _singular(word: str) -> str:
    if word in _PLURALS:
        return _PLURALS[word]
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "as", "os")):
        return word[:-1]
    return word


def _clean(text: str, short: Mapping[tuple[str, ...], str]) -> list[str]:
    """Take the words of noise and numbers of clusters out, then spell abbreviations out."""
    kept: list[str] = []
    previous = ""
    for word in _words(text):
        lower = word.lower()
        is_code = _CODE.fullmatch(word) and previous not in _COUNTED
        previous = lower
        if is_code or _singular(lower) in _NOISE:
            continue
        numbered = _NUMBERED.fullmatch(word)
        is_name = (lower,) in short or _without_species(word, short) is not None
        if numbered and not is_name and not re.match(r"(?i)(cd|th|il|ccr|cxcr)\d", word):
            stem = numbered[1]
            if len(stem) > 3 or (stem.lower(),) in short:
                kept.append(stem)
                continue
        kept.append(word)
    return _expand(kept, short)


def _expand(words: Sequence[str], short: Mapping[tuple[str, ...], str]) -> list[str]:
    """Spell abbreviations out, the longest first; repeated words become one."""
    lower = [word.lower() for word in words]
    single = [_singular(word) for word in lower]
    out: list[str] = []
    place = 0
    while place < len(words):
        for n in range(min(_LONGEST, len(words) - place), 0, -1):
            end = place + n
            meaning = short.get(tuple(single[place:end])) or short.get(tuple(lower[place:end]))
            if meaning is None and n == 1:
                word = words[place]
                meaning = (
                    short.get((word,))
                    or short.get((lower[place].removesuffix("s"),))  # NKs
                    or _without_species(word, short)
                )
            if meaning is not None:
                out += tokens(meaning)
                place = end
                break
        else:
            out.append(single[place])
            place += 1
    unique = [word for i, word in enumerate(out) if i == 0 or word != out[i - 1]]
    return [_SAME.get(word, word) for word in unique]


def _without_species(word: str, short: Mapping[tuple[str, ...], str]) -> str | None:
    """Read ``hDC`` and ``mDC2`` as DC and DC2 of human and mouse."""
    if re.fullmatch(r"[hm][a-z]?[A-Z].*", word):
        return short.get((word[1:].lower(),))
    return None


@cache
def _abbreviations() -> dict[str, dict[tuple[str, ...], str]]:
    found: dict[str, dict[tuple[str, ...], str]] = {}
    with _ABBREVIATIONS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            found.setdefault(row["field"], {})[tuple(row["text"].split())] = row["meaning"]
    return found
