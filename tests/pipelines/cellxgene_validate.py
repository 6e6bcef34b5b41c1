"""Runs in the environment of CELLxGENE's validator: what it says of files, as JSON.

Each file is validated as it is, and as it would be handed in.
"""

from __future__ import annotations

import json
import logging
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import anndata
import numpy as np


def validate(path: Path) -> dict[str, list[str]]:
    """Give errors and warnings."""
    validator = import_module("cellxgene_schema.validate").Validator()
    validator.validate_adata(str(path))
    return {"errors": validator.errors, "warnings": validator.warnings}


def hand_in(path: Path) -> Path:
    """Write a file again without the portal's part, and with what only submissions have."""
    adata: Any = anndata.read_h5ad(path)
    import_module("cellxgene_schema.remove_labels").AnnDataLabelRemover(adata).remove_labels()
    adata.obs = adata.obs.drop(columns=["organism", "organism_ontology_term_id"])
    adata.var["feature_is_filtered"] = False
    adata.obsm["X_any"] = np.zeros((adata.n_obs, 2), dtype=np.float32)
    adata.uns.setdefault("title", "any")
    changed = path.with_suffix(".submission.h5ad")
    adata.write_h5ad(changed)
    return changed


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    found = {
        Path(name).stem: {
            "curated": validate(Path(name)),
            "submission": validate(hand_in(Path(name))),
        }
        for name in sys.argv[1:]
    }
    sys.stdout.write(json.dumps(found) + "\n")
