"""Let bionty find the genes of symbols, in a registry of its own; prints the answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from corpuscle.ontologies import get_organism
from corpuscle.pipelines import init
from corpuscle.pipelines._seed import ensure_genes


def main(asked: str, folder: str) -> None:
    """Fill a registry with the human genes, and ask it for each text of a JSON list."""
    init(Path(folder) / "workspace")
    ensure_genes(get_organism("human"))
    import bionty

    texts = json.loads(Path(asked).read_text())
    found: Any = bionty.Gene.standardize(
        texts,
        field="symbol",
        return_field="ensembl_gene_id",
        organism="human",
        return_mapper=True,
        mute=True,
        from_source=False,
    )
    print(json.dumps({"answers": [found.get(text) for text in texts]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
