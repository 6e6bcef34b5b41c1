"""Mapping authors' labels to terms: how often it is right, and what it costs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .environments import measure
from .result import Goal, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd

    Answer = tuple[str | None, bool]

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SPEED = Path(__file__).with_name("_labels_speed.py")
N_SPEED = 100_000
FIELDS = ("cell_type", "tissue", "disease", "assay")
GOALS = {
    ("celltype_sfaira_dev", "ours, memory", "right"): 0.64,
    ("celltype_sfaira_dev", "ours, memory", "right or kin"): 0.83,
    ("celltype_sfaira_dev", "ours, memory", "mapped"): 0.45,
    ("celltype_sfaira_dev", "ours, memory", "mapped that are right"): 0.90,
    ("celltype_sfaira_dev", "ours", "right"): 0.57,
    ("celltype_hra_exact", "ours, memory", "right"): 0.62,
    ("tissue_disco", "ours, memory", "right"): 0.88,
    ("tissue_sfaira", "ours, memory", "right"): 0.80,
    ("assay_sfaira", "ours", "right"): 0.85,
    ("disease_sfaira", "ours", "right"): 0.65,
}


def run(*, quick: bool, data: Path | None = None) -> Result:
    """Ask for every label as if nobody had mapped its dataset, and compare with what people said.

    Parameters
    ----------
    quick
        Only the sets with goals, the exact name, and the model that is shipped: it has seen them.
    data
        Folder with ``gold``: tables of mapped labels as `fit_label_model.read_gold` takes them.
    """
    folder = (data or DATA) / "gold"
    if not folder.is_dir():
        msg = f"There is no folder {folder}. Name one that holds it with --data."
        raise FileNotFoundError(msg)
    from corpuscle.ontologies.fit_label_model import read_gold

    gold = read_gold(folder)
    gold = gold[gold["field"].isin(FIELDS)].reset_index(drop=True)
    asked = gold[gold["set"].isin({name for name, _, _ in GOALS})] if quick else gold
    ways: dict[str, Callable[[], dict[int, Answer]]] = {
        "exact name": lambda: _by_call(asked, _exact)
    }
    if not quick:
        ways["tf-idf"] = lambda: _by_call(asked, _tf_idf)
        ways["bionty standardize"] = lambda: _by_bionty(asked)
    ways |= _ours(gold, asked, quick=quick)
    figures: dict[str, float] = {}
    measured: dict[tuple[str, str, str], float] = {}
    for way, ask in ways.items():
        answers = ask()
        for name, group in asked.groupby("set"):
            for what, value in _judge(group, answers).items():
                figures[f"{name}, {way}, {what}"] = value
                measured[str(name), way, what] = value
    speed = measure(SPEED, str(1_000 if quick else N_SPEED))
    figures |= speed
    goals = [
        Goal(name=", ".join(key), value=measured[key], goal=goal)
        for key, goal in GOALS.items()
        if key in measured
    ]
    for name, most in (
        ("100,000 labels of cell_type, s", 60.0),
        ("start, s", 3.0),
        ("all terms and vocabularies, s", 2.0),
        ("all terms and vocabularies, MiB", 600.0),
    ):
        goals.append(Goal(name=name, value=speed[name], goal=most, at_most=True))
    return Result(
        benchmark="labels",
        figures=figures,
        goals=goals,
        notes=(
            "Shares of the labels of a set. 'right': the best candidate is what the curator chose; "
            "'right or kin': or an ancestor or descendant of it; 'mapped': labels that got a term; "
            "'mapped that are right': of those. Whatever the curator of a dataset decided is unknown "
            "while its labels are asked: to the memory, and to the model ('shipped': the model that is "
            "shipped, which was fitted on all sets)."
        ),
    )


def _judge(group: pd.DataFrame, answers: dict[int, Answer]) -> dict[str, float]:
    from corpuscle.ontologies.terms import ontology_of

    n_right = n_kin = n_mapped = n_mapped_right = 0
    for row, truth in zip(group.index, group["truth"], strict=True):
        term, is_mapped = answers[row]
        is_right = term == truth
        store = None if term is None else ontology_of(term)
        is_kin = is_right or (
            store is not None
            and term is not None
            and truth in store
            and (truth in store.ancestors(term) or term in store.ancestors(truth))
        )
        n_right += is_right
        n_kin += is_kin
        n_mapped += is_mapped
        n_mapped_right += is_mapped and is_right
    n = len(group)
    return {
        "right": n_right / n,
        "right or kin": n_kin / n,
        "mapped": n_mapped / n,
        "mapped that are right": n_mapped_right / max(n_mapped, 1),
    }


def _by_call(
    gold: pd.DataFrame, ask: Callable[[str, str | None, Sequence[str]], Iterable[Answer]]
) -> dict[int, Answer]:
    answers: dict[int, Answer] = {}
    for (field, organism), group in gold.groupby(["field", "organism"]):
        found = ask(str(field), str(organism) or None, group["label"].tolist())
        answers |= dict(zip(group.index, found, strict=True))
    return answers


def _exact(field: str, organism: str | None, labels: Sequence[str]) -> Iterable[Answer]:
    from corpuscle.ontologies import vocabulary

    names = {name: term for term, name in vocabulary(field, organism).labels.items()}
    return [(names.get(label), label in names) for label in labels]


def _tf_idf(field: str, organism: str | None, labels: Sequence[str]) -> Iterable[Answer]:
    """Take the name or synonym nearest in letters, always."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    from corpuscle.ontologies import vocabulary

    index = vocabulary(field, organism).index
    names = list(index)
    vectors: Any = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4))
    like = vectors.fit_transform(names)
    best = [
        int((vectors.transform([label.lower()]) @ like.T).toarray().argmax()) for label in labels
    ]
    return [(index[names[place]][0], True) for place in best]


def _by_bionty(gold: pd.DataFrame) -> dict[int, Answer]:
    """Ask bionty's registries, filled with the same ontologies."""
    from corpuscle.pipelines import init

    answers: dict[int, Answer] = {}
    with tempfile.TemporaryDirectory() as folder:
        init(folder)
        import bionty as bt

        registries = {
            "cell_type": bt.CellType,
            "tissue": bt.Tissue,
            "disease": bt.Disease,
            "assay": bt.ExperimentalFactor,
        }
        for field, group in gold.groupby("field"):
            registry = registries[str(field)]
            ids = dict(registry.objects.values_list("name", "ontology_id"))
            names = registry.standardize(group["label"].tolist(), mute=True, from_source=False)
            answers |= {
                row: (ids.get(name), name in ids)
                for row, name in zip(group.index, names, strict=True)
            }
        from django.db import connections

        connections.close_all()
    return answers


def _ours(
    gold: pd.DataFrame, asked: pd.DataFrame, *, quick: bool
) -> dict[str, Callable[[], dict[int, Answer]]]:
    from corpuscle.ontologies.fit_label_model import unseen_models

    models: dict[str, Any] = {} if quick else unseen_models(gold)
    return {
        "ours": lambda: _ask(gold, asked, models, with_memory=False),
        "ours, memory": lambda: _ask(gold, asked, models, with_memory=True),
        **({} if quick else {"shipped, memory": lambda: _ask(gold, asked, {}, with_memory=True)}),
    }


def _ask(
    gold: pd.DataFrame, asked: pd.DataFrame, models: dict[str, Any], *, with_memory: bool
) -> dict[int, Answer]:
    from corpuscle.ontologies import vocabulary
    from corpuscle.ontologies.label_memory import Confirmed, Memory
    from corpuscle.ontologies.labels import find_terms

    answers: dict[int, Answer] = {}
    for (field, dataset), group in asked.groupby(["field", "dataset"]):
        others = gold[(gold["field"] == field) & (gold["dataset"] != dataset)]
        confirmed = [
            Confirmed(label=label, term_id=truth, tissue=tissue)
            for label, truth, tissue in zip(
                others["label"], others["truth"], others["tissue"], strict=True
            )
        ]
        past = Memory(confirmed=tuple(confirmed) if with_memory else ())
        for (organism, tissue), part in group.groupby(["organism", "tissue"]):
            labels = list(dict.fromkeys(part["label"]))
            found = find_terms(
                labels,
                vocabulary(str(field), str(organism) or None),
                tissue=str(tissue) or None,
                past=past,
                model=models.get(str(dataset)),
            )
            of = dict(zip(labels, found, strict=True))
            for row, label in zip(part.index, part["label"], strict=True):
                finding = of[label]
                best = finding.candidates[0] if finding.candidates else None
                answers[row] = (finding.term_id or best, finding.outcome == "mapped")
    return answers
