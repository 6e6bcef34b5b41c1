"""Gene tables that a workspace adds."""

from __future__ import annotations

import gzip
import http.server
import threading
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest

from corpuscle.errors import GeneMappingError, InputError, NotFoundError, TransferError
from corpuscle.ontologies import gene_table, gene_versions, get_organism
from corpuscle.pipelines import connect, ingest
from corpuscle.pipelines._references import add_genes, list_genes
from corpuscle.pipelines._seed import ensure_genes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from corpuscle.pipelines import Workspace

    from .conftest import Done

IDS = [f"ENSBTAG{i:011}" for i in range(1, 61)]
NAME = "Bos_taurus.ARS-UCD1.3.114.gtf.gz"
COW = "NCBITaxon:9913"


def gtf(ids: list[str], symbol: str = "S") -> str:
    line = '{}\te\tgene\t1\t9\t.\t+\t.\tgene_id "{}"; gene_name "{}{}"; gene_biotype "protein_coding";\n'
    return "".join(line.format("MT" if i < 2 else "1", g, symbol, i) for i, g in enumerate(ids))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(gzip.compress(gtf(IDS).encode()))
    return path


@pytest.fixture(autouse=True)
def _tables_of_the_registry(workspace: Workspace) -> None:
    """The fixture `workspace` connects, which takes the tables of the test before away."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """URL of a real server for the files of `tmp_path`; it breaks off where the name says so."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, directory=str(tmp_path), **kwargs)

        def do_GET(self) -> None:
            if "broken" not in self.path and "large" not in self.path:
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Length", "1000" if "broken" in self.path else str(2**33))
            self.end_headers()
            self.wfile.write(b"gene_id\n")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def write_cow(path: Path) -> Path:
    counts = np.random.default_rng(0).poisson(2.0, size=(4, 50)).astype(np.float32)
    obs = pd.DataFrame(index=[f"c{i}" for i in range(4)])
    anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=IDS[:50])).write_h5ad(path)
    return path


def test_a_table_becomes_an_artifact_with_its_run(ln: Any, file: Path) -> None:
    added = add_genes(str(file), organism="cow")
    assert (added.status, added.version, added.release) == ("new", "1", "ensembl-114")
    assert (added.n_genes, added.n_retired, added.n_mito) == (60, 0, 2)
    artifact = ln.Artifact.get(added.uid)
    assert (artifact.key, artifact.kind, artifact.n_observations) == (
        "references/genes/9913.parquet",
        "genes",
        60,
    )
    assert artifact.run.transform.key == "corpuscle/add-genes"
    assert artifact.run.params["source"] == str(file)
    assert len(artifact.run.params["source_hash"]) > 20


def test_afterwards_files_of_the_organism_are_curated(ln: Any, file: Path, tmp_path: Path) -> None:
    cow = write_cow(tmp_path / "cow.h5ad")
    (before,) = ingest([cow])
    assert before.status == "refused"
    add_genes(str(file), organism=COW)
    (after,) = ingest([cow])
    assert (after.status, after.report and after.report["genes"]["resolved"]) == ("new", 50)
    adata = anndata.read_h5ad(ln.Artifact.get(after.uid).path)
    assert (adata.obs["pct_counts_mito"] > 0).all()


def test_a_changed_table_curates_anew_and_the_same_one_does_not(file: Path, tmp_path: Path) -> None:
    cow = write_cow(tmp_path / "cow.h5ad")
    add_genes(str(file), organism="cow")
    assert [o.status for o in ingest([cow])] == ["new"]
    assert add_genes(str(file), organism="cow").status == "unchanged"
    assert [o.status for o in ingest([cow])] == ["unchanged"]
    file.write_bytes(gzip.compress(gtf(IDS[:-1], symbol="T").encode()))
    changed = add_genes(str(file), organism="cow", release="ensembl-115")
    assert (changed.status, changed.version, changed.n_genes, changed.n_retired) == (
        "revised",
        "2",
        59,
        1,
    )
    assert gene_table("cow").loc[IDS[0], "previous_symbols"] == ("S0",)
    assert [o.status for o in ingest([cow])] == ["revised"]


def test_a_new_connection_knows_the_tables_and_the_registry_gets_the_genes(
    bt: Any, file: Path
) -> None:
    from corpuscle.ontologies import use_gene_tables

    add_genes(str(file), organism="cow")
    use_gene_tables({})  # as in a fresh process
    connect()
    assert gene_versions()[COW].startswith("ensembl-114+")
    assert ensure_genes(get_organism("cow"))
    assert not ensure_genes(get_organism("cow"))
    assert bt.Gene.objects.filter(organism__ontology_id=COW).count() == 60
    file.write_bytes(gzip.compress(gtf([*IDS, "ENSBTAG00000000099"]).encode()))
    add_genes(str(file), organism="cow", release="ensembl-115")
    assert ensure_genes(get_organism("cow"))
    assert bt.Gene.objects.filter(organism__ontology_id=COW).count() == 61


def test_a_dry_run_registers_nothing(ln: Any, file: Path) -> None:
    before = ln.Artifact.objects.count()
    assert add_genes(str(file), organism="cow", dry_run=True).status == "planned"
    assert ln.Artifact.objects.count() == before
    assert COW not in gene_versions()


def test_a_url_is_downloaded(file: Path, server: str) -> None:
    added = add_genes(f"{server}/{file.name}", organism="cow")
    assert (added.status, added.n_genes, added.source) == ("new", 60, f"{server}/{file.name}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken.csv", r"received 8 bytes, expected 1000.*The same command goes on"),
        ("large.csv", "is larger than 4,294,967,296 bytes"),
    ],
)
def test_a_failed_download_tells_why(
    server: str, name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORPUSCLE_BUDGET_S", "0")
    with pytest.raises(TransferError, match=message):
        add_genes(f"{server}/{name}", organism="cow", release="r1")


def test_a_url_that_leads_nowhere_is_told(server: str) -> None:
    with pytest.raises(NotFoundError, match=f"There is no {server}/none.gtf"):
        add_genes(f"{server}/none.gtf", organism="cow", release="r1")


def test_a_signed_url_is_registered_without_its_signature(ln: Any, file: Path, server: str) -> None:
    added = add_genes(f"{server}/{file.name}?X-Amz-Signature=s3cret", organism="cow")
    assert added.source == ln.Artifact.get(added.uid).run.params["source"]
    assert added.source == f"{server}/{file.name}"


def test_a_release_that_is_not_told_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "genes.csv").write_text("gene_id\nENSBTAG00000000001\n")
    with pytest.raises(InputError, match=r"Pass --release, as ensembl-114"):
        add_genes(str(tmp_path / "genes.csv"), organism="cow")


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(NotFoundError, match=r"There is no /nowhere/genes.gtf. Check the path"):
        add_genes("/nowhere/genes.gtf", organism="cow")


def test_a_file_of_another_organism_is_refused(file: Path) -> None:
    with pytest.raises(GeneMappingError, match="not of Ovis aries"):
        add_genes(str(file), organism="sheep")


def test_the_list_tells_shipped_and_added(file: Path) -> None:
    add_genes(str(file), organism="cow")
    found = {table.taxon_id: table for table in list_genes()}
    assert (found[COW].origin, found[COW].organism, found[COW].n_genes) == (
        "added",
        "Bos taurus",
        60,
    )
    human = found["NCBITaxon:9606"]
    assert (human.origin, human.release, human.n_genes) == ("shipped", "gencode-48", 78_894)
    assert human.n_retired == 19_155
    assert found["NCBITaxon:32630"].n_genes == 92


def test_the_command_line_adds_and_lists(corpuscle: Callable[..., Done], file: Path) -> None:
    done = corpuscle("references", "add-genes", file, "--organism", COW, "--json")
    assert (done.code, done.json["status"], done.json["n_genes"]) == (0, "new", 60)
    listed = corpuscle("references", "list")
    assert "Bos taurus" in listed.out
    tables = corpuscle("references", "list", "--json").json
    assert [t["release"][:12] for t in tables if t["taxon_id"] == COW] == ["ensembl-114+"]


def test_the_command_line_warns_of_a_missing_mitochondrion(
    corpuscle: Callable[..., Done], tmp_path: Path
) -> None:
    path = tmp_path / "genes.csv"
    path.write_text("gene_id\nENSBTAG00000000001\n")
    words = ("references", "add-genes", path, "--organism", "cow", "--release", "r1")
    done = corpuscle(*words, "--dry-run")
    assert "planned: 1 genes of Bos taurus, r1" in done.out
    assert "pct_counts_mito will be missing" in done.out


def test_the_command_line_refuses_with_a_reason(corpuscle: Callable[..., Done]) -> None:
    done = corpuscle("references", "add-genes", "/nowhere.gtf", "--organism", "cow")
    assert (done.code, "There is no /nowhere.gtf" in done.err) == (1, True)
