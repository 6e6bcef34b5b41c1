from __future__ import annotations

from typing import TYPE_CHECKING, Any

from corpuscle.pipelines._ingest import ingest_source
from corpuscle.pipelines.examples._cellxgene import example_id
from corpuscle.pipelines.sources import Wanted

if TYPE_CHECKING:
    from .cellxgene_mirror import Mirror

KEY = f"datasets/cellxgene/{example_id('blood')}.h5ad"


def test_all_versions_of_a_dataset_become_versions_of_one_dataset(mirror: Mirror, ln: Any) -> None:
    source, wanted = mirror.source(versions="all"), Wanted(ids=(example_id("blood"),))
    assert [o.status for o in ingest_source(source, wanted)] == ["new", "revised"]
    versions = ln.Artifact.objects.filter(key=KEY).order_by("id")
    origins = [artifact.run.params["from"]["version"] for artifact in versions]
    assert origins == [example_id(f"blood {schema}") for schema in ("5.2.0", "7.1.0")]
    assert [o.status for o in ingest_source(source, wanted)] == ["unchanged", "unchanged"]
    assert [o.status for o in ingest_source(mirror.source(), wanted)] == ["unchanged"]


def test_what_is_skipped_or_refused_costs_nothing_else(mirror: Mirror, ln: Any) -> None:
    mirror.path("lung").write_bytes(b"<html>moved</html>")
    mirror.resize("lung")
    ids = tuple(map(example_id, ("lung", "withdrawn", "spots")))
    outcomes = {o.dataset: o for o in ingest_source(mirror.source(), Wanted(ids=ids))}
    by_name = {name: outcomes[f"cellxgene/{example_id(name)}"] for name in ("lung", "withdrawn")}
    assert outcomes[f"cellxgene/{example_id('spots')}"].status == "new"
    assert by_name["lung"].error is not None
    assert by_name["lung"].error["kind"] == "schema"
    assert by_name["withdrawn"].status == "skipped"
    assert ln.Artifact.objects.filter(key__startswith="datasets/cellxgene/").count() == 1
