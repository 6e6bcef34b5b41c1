"""Our own loaders; see `_loaders_peers`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ._loaders_adapter import COLUMNS, Loader, codes_of, files_of, from_torch, shuffled
from ._loaders_cells import LABELS, n_genes_of, plates, type_name

if TYPE_CHECKING:
    from pathlib import Path

    from corpuscle.loaders import Corpus


def corpus_of(folder: Path, kind: str = "plain") -> Corpus:
    """A corpus of the generated files."""
    from corpuscle.loaders import Corpus, DatasetRef

    reference = np.load(folder / "reference.npz")
    paths = plates(folder, kind)
    sizes = np.bincount(reference["plate"]).tolist()
    return Corpus(
        name="benchmark",
        version="1",
        uid="benchmark0001",
        datasets=tuple(
            DatasetRef(
                uid=path.stem, key=path.name, path=str(path), n_cells=n, organism="NCBITaxon:9606"
            )
            for path, n in zip(paths, sizes, strict=True)
        ),
        classes={"cell_type": tuple(map(type_name, np.unique(reference["cell_type"]).tolist()))},
    )


def pack(folder: Path) -> None:
    """Pack the corpus with both codecs, unless that was done."""
    from corpuscle.loaders import PackOptions, pack_corpus

    corpus = corpus_of(folder)
    codecs: tuple[Literal["plain", "zstd"], ...] = ("plain", "zstd")
    for codec in codecs:
        home = folder / f"packed-{codec}"
        if not (home / "manifest.json").exists():
            pack_corpus(corpus, home, options=PackOptions(codec=codec))


def plain_files(
    folder: Path,
    batch: int,
    workers: int = 0,
    kind: str = "plain",
    output: Literal["csr", "dense"] = "csr",
    block: int = 1,
    fetch: int = 16,
) -> Loader:
    """Curated files as they are, by `Corpus.loader`; in blocks, `fetch` batches at once."""
    from corpuscle.loaders import CorpusLoader

    corpus = corpus_of(folder, kind)
    loader = CorpusLoader(
        corpus, batch, labels=["cell_type"], output=output, block_size=block, fetch=fetch
    )
    types, n_genes = codes_of(corpus.classes["cell_type"]), n_genes_of(folder)

    def batches() -> Any:
        if not workers:
            return iter(loader)
        from torch.utils.data import DataLoader

        options: Any = {"num_workers": workers, "prefetch_factor": 4}
        return iter(DataLoader(loader, batch_size=None, **options))

    return Loader(
        batches=batches,
        size=lambda b: len(b["row"]),
        counts=lambda b: from_torch(b["X"], n_genes) if output == "csr" else b["X"].numpy(),
        labels=lambda b: {"cell_type": types[b["cell_type"].numpy()], "plate": b["dataset"]},
        rows=lambda b: b["row"].numpy(),
        paths=plates(folder, kind),
        fetch=batch * fetch if block > 1 else 1,
    )


def packed(
    folder: Path,
    batch: int,
    threads: int = 0,
    codec: str = "plain",
    output: Literal["csr", "ragged", "tokens", "dense"] = "csr",
    block: int = 1,
    check: Literal["first read", "always", "never"] = "first read",
) -> Loader:
    """The packed corpus, by `PackedCorpus.loader`; tokens are random expressed genes."""
    from scipy import sparse

    from corpuscle.loaders._form import Form, Tokens
    from corpuscle.loaders.packed import PackedCorpus

    from ._loaders_kernel import bare_kernel

    home = folder / f"packed-{codec}"
    corpus = PackedCorpus.open(home)
    tokens = Tokens(length=2_048, choose="random") if output == "tokens" else None
    loader = corpus.loader(
        batch,
        labels=["cell_type"],
        output=output,
        threads=threads,
        tokens=tokens,
        block_size=block,
        check=check,
    )
    types, n_genes = codes_of(corpus.classes["cell_type"]), n_genes_of(folder)
    bare = None
    if codec == "plain":
        reader = corpus.reader(Form(output=output, tokens=tokens or Tokens()))
        bare = bare_kernel(reader, output, batch=batch, n_cells=len(corpus), n_genes=n_genes)

    def counts(made: Any) -> Any:
        if output == "csr":
            return from_torch(made["X"], n_genes)
        if output == "dense":
            return made["X"].numpy()
        parts = [made[key].numpy() for key in ("ids", "counts")]
        if output == "tokens":
            return parts[0].astype(np.int64), parts[1], made["mask"].numpy(), made["depth"].numpy()
        ids, values = parts[0].astype(np.int64), parts[1].astype(np.float64)
        return sparse.csr_matrix((values, ids, made["indptr"].numpy()), (len(made["row"]), n_genes))

    return Loader(
        batches=lambda: iter(loader),
        size=lambda b: len(b["row"]),
        counts=counts,
        labels=lambda b: {"cell_type": types[b["cell_type"].numpy()], "plate": b["dataset"]},
        rows=lambda b: b["row"].numpy(),
        paths=files_of(home),
        fetch=64 * batch if block > 1 else 1,  # batches, by default
        bare=bare,
    )


def mapped(folder: Path, batch: int, workers: int = 0, kind: str = "plain") -> Loader:
    """`Corpus.mapped` in torch's loader, as the peer is used; dense."""
    from torch.utils.data import default_collate

    corpus = corpus_of(folder, kind)
    cells = corpus.mapped(join="inner", layers_keys="X", obs_keys=COLUMNS)
    names = {
        name: np.array(sorted(cells.encoders[column], key=cells.encoders[column].get))
        for name, column in LABELS.items()
    }
    names["cell_type"] = np.array(corpus.classes["cell_type"])
    return Loader(
        batches=shuffled(cells, batch, workers, default_collate),
        size=lambda b: len(b["X"]),
        counts=lambda b: b["X"].numpy(),
        labels=lambda b: {name: names[name][b[column].numpy()] for name, column in LABELS.items()},
        paths=plates(folder, kind),
    )
