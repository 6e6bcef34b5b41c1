"""Which datasets a new release of ontologies or genes touches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..curation import same_genes, same_labels, versions
from ..ontologies import get_organism
from ._answers import DATASETS, DECISIONS, made_by
from ._dataset_run import hash_json
from ._lamin import connected

if TYPE_CHECKING:
    from ._memory import MemoryVersion


def is_touched(run: Any, dataset: str, memory: MemoryVersion) -> bool:
    """Tell whether a dataset would be another by the ontologies and genes of today.

    Its labels and features are resolved once more, from what its run kept. Where that is not
    enough to tell, it is touched. What was found untouched is remembered in the workspace's cache.

    Parameters
    ----------
    run
        That curated it.
    dataset
        Its name.
    memory
        Decisions of curators, which say of its labels what they said.
    """
    report = run.params["report"]
    before, now = report["versions"], versions()
    others = {name for name in {*before, *now} - {"corpuscle"} if before.get(name) != now.get(name)}
    kinds = {name.partition(":")[0] for name in others}
    if kinds - {"ontology", "genes"}:
        return True
    seen = _seen(run, memory, now)
    if seen.exists():
        return False
    decisions = Path(made_by(run.id, f"{DECISIONS}{dataset}.sssom.tsv").path)
    organism = get_organism(report["organism"]["taxon_id"])
    if "ontology" in kinds and not same_labels(
        decisions,
        dataset=dataset,
        organism=organism.taxon_id,
        tissues=run.params["classes"]["tissue"],
        memory=memory.by_field(),
    ):
        return True
    is_own = bool({f"genes:{name}" for name in (organism.genes, organism.taxon_id)} & others)
    if "genes" in kinds and not same_genes(
        Path(made_by(run.id, f"{DATASETS}{dataset}.h5ad").path),
        decisions,
        report=report,
        hashes=run.params.get("comparable", "unknown") if is_own else None,
    ):
        return True
    seen.parent.mkdir(parents=True, exist_ok=True)
    seen.touch()
    return False


def _seen(run: Any, memory: MemoryVersion, now: dict[str, str]) -> Path:
    """Place of the mark that a dataset was found untouched."""
    name = hash_json([run.uid, memory.uid, now])
    return connected().state / "cache" / "untouched" / name[:2] / name
