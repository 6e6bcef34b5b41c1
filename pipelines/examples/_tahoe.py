"""A small Tahoe-100M: two plates, and the first one again in two shards."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from ._cells import N_GENES, Truth, example_counts, example_genes

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa
    from scipy.sparse import csr_matrix

HUMAN, RELEASE = "NCBITaxon:9606", "2025-02-25"
REPO, COMMIT = "tahoebio/Tahoe-100M", "0123456789abcdef0123456789abcdef01234567"
SHARDS = f"datasets/{REPO}/resolve/{COMMIT}"
"""Where the shards are, below the folder that is written."""
PLATE_FILE = "plate{number}_filt_Vevo_Tahoe100M_WServicesFrom_ParseGigalab.h5ad"
N_CELLS, N_SHARDS = 150, 2
OLD_GENES = {
    "C1orf112": "ENSG00000000460",  # FIRRM today
    "MYH16": "ENSG00000002079",  # retired
    "NPIPA9": "ENSG00000183889",  # another gene is called so today
    "Y_RNA": "ENSG00000195401",
    "Y_RNA-697": "ENSG00000252612",  # made unique
    "ENSG00000100101": "ENSG00000100101",  # without a symbol
}
"""Symbols that mislead whoever joins by them."""
REPLACED = {"ENSG00000002079": "ENSG00000293560"}
"""What became of the retired one."""
DRUGS = {
    "Erdafitinib ": ("FGFR1, FGFR2", "FGFR inhibitor", "COC1=CC(=CC(=C1)N(CCNC(C)C)C)OC", 67462786),
    "(R)-Verapamil (hydrochloride)": ("ABCB1", "unclear", "CC(C)C(CCCN(C)C)C#N", 170014),
    "18β-Glycyrrhetinic acid": (None, "unclear", "CC1(C2CCC3(C(C2(CCC1O)C)C(=O)C)C)C", 10114),
    "Trametinib (DMSO_TF solvate)": ("MAP2K1, MAP2K2", "MEK inhibitor", "CC1=C2C", 11707110),
    "Sacubitril/Valsartan": ("AGTR1", "unclear", None, None),
}
"""Targets, mechanism, SMILES and id of PubChem, by the name that samples have."""


def write_tahoe(folder: Path, *, seed: int = 0) -> dict[str, Truth]:
    """Write the plates and what the publisher has beside them.

    Parameters
    ----------
    folder
        Gets ``2025-02-25`` as the bucket has it, and `SHARDS` with what a hub says of it in
        ``api``.
    seed
        Source of randomness.

    Returns
    -------
    What each plate holds. See `write_tahoe_shards` for the shards.
    """
    return _write(folder, seed=seed)[0]


def write_tahoe_shards(folder: Path, *, seed: int = 0) -> dict[str, Truth]:
    """Write the same, and tell what each shard holds."""
    return _write(folder, seed=seed)[1]


def _write(folder: Path, *, seed: int) -> tuple[dict[str, Truth], dict[str, Truth]]:
    rng = np.random.default_rng([seed, 100])
    unsorted, samples, lines = _genes(), _samples(), _lines()
    genes = unsorted.sort_values("token_id")
    tables = {
        "gene_metadata": genes,
        "sample_metadata": samples,
        "drug_metadata": _drugs(),
        "cell_line_metadata": lines,
    }
    bucket, shards = folder / RELEASE, folder / SHARDS
    for place in (bucket / "metadata", shards / "metadata"):
        place.mkdir(parents=True)
        for name, table in tables.items():
            table.to_parquet(place / f"{name}.parquet", index=False)
    (bucket / "h5ad").mkdir()
    (shards / "data").mkdir()
    plates: dict[str, Truth] = {}
    parts: dict[str, Truth] = {}
    ids = tuple(genes["ensembl_id"].replace(REPLACED))
    for number in (1, 2):
        obs = _obs(number, samples, lines, rng)
        counts = _counts(obs, unsorted, rng)
        obs.insert(1, "gene_count", np.diff(counts.indptr).astype(np.int64))
        obs.insert(2, "tscp_count", np.asarray(counts.sum(axis=1)).ravel().astype(np.int64))
        obs.insert(3, "mread_count", (obs["tscp_count"] * 1.3).astype(np.int64))
        _write_plate(bucket / "h5ad" / PLATE_FILE.format(number=number), counts, obs, genes)
        plates[f"plate{number}"] = Truth(counts=counts, cells=tuple(obs.index), genes=ids)
        if number == 1:
            full = np.flatnonzero(obs["pass_filter"] == "full")
            for place, rows in enumerate(np.array_split(full, N_SHARDS)):
                name = f"train-{place:05d}-of-{N_SHARDS:05d}"
                table = _shard(counts[rows], obs.iloc[rows], genes)
                _write_shard(shards / "data" / f"{name}.parquet", table)
                cells = tuple(obs.index[rows])
                parts[name] = Truth(counts=counts[rows], cells=cells, genes=ids)
    _write_hub(folder)
    return plates, parts


def _genes() -> pd.DataFrame:
    """List the genes of every example, and after them those of `OLD_GENES` that it lacks."""
    import pandas as pd

    table = example_genes(HUMAN)
    old = {gene: symbol for symbol, gene in OLD_GENES.items()}
    symbols = {**dict(zip(table.index, table["symbol"], strict=True)), **old}
    frame = pd.DataFrame({"gene_symbol": symbols.values(), "ensembl_id": symbols.keys()})
    frame["token_id"] = frame["ensembl_id"].rank().astype(np.int64) + 2
    return frame


def _samples() -> pd.DataFrame:
    import pandas as pd

    rows = []
    for number in (1, 2):
        given = [*((drug, [0.05, 0.5, 5.0][number - 1]) for drug in DRUGS), ("DMSO_TF", 0.0)]
        for drug, dose in given:
            sample = f"smp_{1495 + 96 * (number - 1) + len(rows)}"
            rows.append((sample, f"plate{number}", drug, str([(drug, dose, "uM")])))
    table = pd.DataFrame(rows, columns=["sample", "plate", "drug", "drugname_drugconc"])
    for column in ("mean_gene_count", "mean_tscp_count", "mean_mread_count", "mean_pcnt_mito"):
        table[column] = 1000.0
    return table


def _drugs() -> pd.DataFrame:
    import pandas as pd

    rows = [
        {
            "drug": drug.strip(),
            "targets": targets,
            "moa-broad": "inhibitor/antagonist",
            "moa-fine": mechanism,
            "human-approved": "yes",
            "clinical-trials": "yes",
            "gpt-notes-approval": "Written for an example.",
            "canonical_smiles": smiles,
            "pubchem_cid": cid,
        }
        for drug, (targets, mechanism, smiles, cid) in DRUGS.items()
    ]
    return pd.DataFrame(rows).astype({"pubchem_cid": "float64"})


def _lines() -> pd.DataFrame:
    """List each line once per driver mutation, and some that were never assayed."""
    import pandas as pd

    from ..sources._tahoe_lines import LINES, ORGANS

    organs = {organ: name for name, ids in ORGANS.items() for organ in ids}
    organs |= {"UBERON:0001155": "Bowel", "UBERON:0001295": "Uterus"}
    rows = [
        {
            "cell_name": line.name,
            "Cell_ID_DepMap": None if line.name == "hTERT-HPNE" else f"ACH-{number:06d}",
            "Cell_ID_Cellosaur": accession,
            "Organ": organs[line.origin],
            "Driver_Gene_Symbol": gene,
        }
        for number, (accession, line) in enumerate(LINES.items())
        for gene in ("KRAS", "TP53", "CDKN2A")[: 1 + number % 3]
    ]
    rows.append({**rows[0], "cell_name": "A-375", "Cell_ID_Cellosaur": "CVCL_0132"})
    return pd.DataFrame(rows)


def _obs(
    number: int, samples: pd.DataFrame, lines: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Make cells of all lines under what the plate was given, a tenth of which are poor."""
    import pandas as pd

    own = samples[samples["plate"] == f"plate{number}"].reset_index(drop=True)
    known = lines.drop_duplicates("Cell_ID_Cellosaur").iloc[:-1].reset_index(drop=True)
    of_sample = own.iloc[np.arange(N_CELLS) % len(own)]
    of_line = known.iloc[rng.permutation(np.arange(N_CELLS) % len(known))]
    barcodes = [f"{n // 96 + 1:02d}_{n % 48 + 1:03d}_{n + 1:03d}" for n in range(N_CELLS)]
    library = f"lib_{1000 + number}"
    phase = rng.choice(["G1", "S", "G2M"], size=N_CELLS)
    obs = pd.DataFrame(
        {
            "sample": of_sample["sample"].array,
            "drugname_drugconc": of_sample["drugname_drugconc"].array,
            "drug": of_sample["drug"].array,
            "cell_line": of_line["Cell_ID_Cellosaur"].array,
            "sublibrary": library,
            "BARCODE": barcodes,
            "pcnt_mito": rng.random(N_CELLS).round(4),
            "S_score": rng.normal(size=N_CELLS).round(4),
            "G2M_score": rng.normal(size=N_CELLS).round(4),
            "phase": phase,
            "pass_filter": np.where(np.arange(N_CELLS) % 10 == 9, "minimal", "full"),
            "cell_name": of_line["cell_name"].array,
            "plate": f"plate{number}",
        },
        index=pd.Index([f"{b}-{library}" for b in barcodes], name="BARCODE_SUB_LIB_ID"),
    )
    texts = [name for name in obs if obs[name].dtype == object and name != "BARCODE"]
    return obs.astype(dict.fromkeys(texts, "category"))


def _counts(obs: pd.DataFrame, genes: pd.DataFrame, rng: np.random.Generator) -> csr_matrix:
    """Give each line a program of its own; columns are sorted by token."""
    from scipy import sparse

    kinds = np.asarray(obs["cell_line"], dtype=str)
    own = example_counts(kinds, N_GENES, rng)
    others = rng.poisson(0.5, size=(len(obs), len(genes) - N_GENES))
    counts = np.hstack([own, others])[:, np.argsort(genes["token_id"])]
    return sparse.csr_matrix(counts.astype(np.float32))


def _write_plate(path: Path, counts: csr_matrix, obs: pd.DataFrame, genes: pd.DataFrame) -> None:
    import pandas as pd
    from anndata import AnnData

    var = pd.DataFrame(index=pd.Index(genes["gene_symbol"].tolist()))
    AnnData(counts, obs=obs, var=var).write_h5ad(path, compression="gzip")


def _shard(counts: csr_matrix, obs: pd.DataFrame, genes: pd.DataFrame) -> pa.Table:
    """Put the mark before the genes and counts of each cell, and write what is missing as text."""
    import pyarrow as pa

    tokens = genes["token_id"].to_numpy()[counts.indices]
    offsets = pa.array(counts.indptr + np.arange(counts.shape[0] + 1), type=pa.int32())
    first = counts.indptr[:-1]
    lists = {
        "genes": pa.array(np.insert(tokens, first, 1)),
        "expressions": pa.array(np.insert(counts.data, first, -2)),
    }
    facts = [DRUGS.get(str(drug), (None, "unclear", None, None)) for drug in obs["drug"]]
    texts = {
        "drug": [str(drug) for drug in obs["drug"]],
        "sample": [str(sample) for sample in obs["sample"]],
        "BARCODE_SUB_LIB_ID": list(obs.index),
        "cell_line_id": [str(line) for line in obs["cell_line"]],
        "moa-fine": [mechanism for _, mechanism, _, _ in facts],
        "canonical_smiles": [str(smiles or float("nan")) for _, _, smiles, _ in facts],
        "pubchem_cid": [str(float("nan" if cid is None else cid)) for _, _, _, cid in facts],
        "plate": [str(plate) for plate in obs["plate"]],
    }
    columns: dict[str, Any] = {
        name: pa.ListArray.from_arrays(offsets, values) for name, values in lists.items()
    }
    return pa.table({**columns, **texts})


def _write_shard(path: Path, table: pa.Table) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path, row_group_size=20)


def _write_hub(folder: Path) -> None:
    """Write what a hub says of the repository: every file with its hash, and the commit."""
    place = folder / SHARDS
    siblings: list[dict[str, Any]] = [{"rfilename": "README.md", "size": 10}]
    for path in sorted(place.rglob("*.parquet")):
        content = path.read_bytes()
        lfs = {"sha256": sha256(content).hexdigest(), "size": len(content), "pointerSize": 133}
        name = path.relative_to(place).as_posix()
        siblings.append({"rfilename": name, "size": len(content), "lfs": lfs})
    described = json.dumps({"id": REPO, "sha": COMMIT, "siblings": siblings})
    api = folder / "api" / "datasets" / REPO / "revision"
    api.mkdir(parents=True)
    for revision in ("main", COMMIT):
        (api / f"{revision}.json").write_text(described, encoding="utf-8")
