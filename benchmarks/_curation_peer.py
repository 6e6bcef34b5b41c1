"""scDataLoader's Preprocessor on one file, in its own environment; no module of ours is here.

python _curation_peer.py setup HOME GENES_TSV      a registry with the human genes, once
python _curation_peer.py plain|same|whole HOME OUT IN...    one file after another; the last counts
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

HUMAN = "NCBITaxon:9606"


def setup(genes: Path) -> dict[str, float]:
    """Make a registry with organism and genes, which the Preprocessor looks up."""
    _leave_hub_alone()
    import lamindb_setup

    lamindb_setup.init(storage=str(genes.parent / "instance"), modules="bionty")
    import bionty
    import pandas as pd
    from django.db import connection, transaction

    table = pd.read_csv(genes, sep="\t", dtype=str, keep_default_na=False)
    human = bionty.Organism.objects.filter(ontology_id=HUMAN).first()
    if human is None:
        human = bionty.Organism(name="human", ontology_id=HUMAN, scientific_name="homo_sapiens")
        human.save()
    record: Any = bionty.Gene(organism=human, **dict(table.iloc[0])).save()
    # an object of each gene would take minutes: the others are copies of the first one's row
    own = ["uid", "ensembl_gene_id", "symbol", "biotype"]
    columns = [c.column for c in record._meta.concrete_fields if c.column not in {"id", *own}]
    table.insert(0, "uid", table["ensembl_gene_id"].str[3:])
    atomic: Any = transaction.atomic()
    with atomic, connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO bionty_gene ({', '.join(own + columns)}) "
            f"SELECT %s, %s, %s, %s, {', '.join(columns)} FROM bionty_gene WHERE id = {record.id}",
            table[own].iloc[1:].to_numpy().tolist(),
        )
    return {"genes": float(bionty.Gene.objects.count())}


def _leave_hub_alone() -> None:
    """LaminDB asks its hub about local instances as well, which ends it where there is no network."""
    from lamindb_setup.core import _hub_core, _settings_instance

    hub: Any = _hub_core
    settings: Any = _settings_instance
    hub.init_storage_hub = lambda *_, **__: "hub-record-not-created"
    settings.InstanceSettings.is_on_hub = property(lambda _: False)


def preprocess(way: str, out: Path, paths: list[Path]) -> dict[str, float]:
    """Read, preprocess and write files; tell of the last."""
    import scanpy as sc  # type: ignore[import-untyped]
    from scdataloader import preprocess as theirs  # type: ignore[import-not-found]

    def neighbours_and_clusters(adata: Any) -> Any:
        """Do what our structure does, and nothing beyond."""
        sc.pp.neighbors(adata, use_rep="X_pca")
        sc.tl.leiden(adata, resolution=1.0, flavor="igraph", n_iterations=2)
        return adata

    after = {
        "plain": None,
        "same": neighbours_and_clusters,
        "whole": theirs.additional_postprocess,
    }[way]
    work = theirs.Preprocessor(do_postp=way != "plain", additional_postprocess=after)
    return [_preprocess(work, path, out) for path in paths][-1]


def _preprocess(work: Any, path: Path, out: Path) -> dict[str, float]:
    import anndata

    wall, cpu = time.perf_counter(), time.process_time()
    adata: Any = anndata.read_h5ad(path)
    n_cells, read = adata.n_obs, time.perf_counter() - wall
    adata = work(adata, dataset_id="benchmark")
    done = time.perf_counter() - wall
    adata.write_h5ad(out)
    seconds = time.perf_counter() - wall
    return {
        "cells": n_cells,
        "cells out": adata.n_obs,
        "genes out": adata.n_vars,
        "s": seconds,
        "read, s": read,
        "write, s": seconds - done,
        "CPU s": time.process_time() - cpu,
    }


if __name__ == "__main__":
    what, home, *paths = sys.argv[1:]
    os.environ["LAMIN_SETTINGS_DIR"] = home  # before lamindb is imported: no other instance is seen
    os.environ["MPLBACKEND"] = "agg"
    os.chdir(home)  # the Preprocessor saves a figure where it is
    if what == "setup":
        found = setup(Path(paths[0]))
    else:
        found = preprocess(what, Path(paths[0]), [Path(path) for path in paths[1:]])
    print(json.dumps(found))
