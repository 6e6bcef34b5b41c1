"""What `benchmarks.loaders` measures: the loaders, their environments, and what is compared with what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where a peer lives."""

    requirements: tuple[str, ...]
    python: str | None = None
    """Version of the interpreter; None for the one that runs the benchmark."""


TORCH = "torch==2.13.0"
ENVIRONMENTS = {
    "annbatch": Environment(python="3.12", requirements=("annbatch==0.3.1", "zarrs")),
    "scdl": Environment(requirements=("bionemo-scdl==0.1.3", TORCH)),
    "cellfm": Environment(
        requirements=("cellfm-datasets[convert,torch]==0.1.1", "datasets==5.2.0", TORCH)
    ),
    "hf": Environment(requirements=("datasets==5.2.0", "h5py", "scipy", TORCH)),
    "scdataset": Environment(requirements=("scdataset==0.3.0", "anndata==0.12.19", TORCH)),
    "annloader": Environment(requirements=("anndata==0.12.19", TORCH)),
    "lamindb": Environment(requirements=("lamindb==2.12.1", TORCH)),
    "scdataloader": Environment(requirements=("scdataloader==2.1.3", "pyarrow<20", TORCH)),
}
CONVERTED = ("annbatch", "scdl", "cellfm", "hf")
"""Environments whose loaders read a form of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A loader with its settings."""

    name: str
    output: str
    """``csr``, ``ragged``, ``tokens`` or ``dense``."""
    module: str
    function: str
    environment: str | None = None
    """None for ours."""
    options: dict[str, Any] = field(default_factory=dict)
    two: dict[str, Any] | None = None
    """Options for two processes or threads; None if there are none, or they fork over HDF5."""


def _entry(name: str, form: str, environment: str, function: str, **options: Any) -> Entry:
    family = "peers" if environment in CONVERTED else "anndata"
    two = None if function in ("annbatch", "annloader") else {"workers": 2}
    return Entry(
        name=name,
        output=form,
        module=f"_loaders_{family}",
        function=function,
        environment=environment,
        options=options,
        two=two,
    )


def _own(name: str, form: str, function: str, two: str | None, **options: Any) -> Entry:
    return Entry(
        name=name,
        output=form,
        module="_loaders_ours",
        function=function,
        options=options,
        two={two: 2} if two else None,
    )


PEERS = [
    _entry("annbatch", "csr", "annbatch", "annbatch"),
    _entry("annbatch, one core", "csr", "annbatch", "annbatch", cores=1),
    _entry("SCDL", "csr", "scdl", "scdl"),
    _entry("scDataset, blocks of 16", "csr", "scdataset", "scdataset"),
    _entry("HF datasets", "csr", "hf", "hf"),
    _entry("HF datasets, stream", "csr", "hf", "hf", buffer=10_000),
    _entry("cellfm-datasets, one file a batch", "csr", "cellfm", "cellfm"),
    _entry("cellfm-datasets, mixed", "csr", "cellfm", "cellfm", mixed=True),
    _entry("scDataset, blocks of 1", "csr", "scdataset", "scdataset", block=1, fetch=4_096),
    _entry("scDataset, blocks of 64", "csr", "scdataset", "scdataset", block=64, fetch=4_096),
    _entry(
        "scDataset, blocks of 1, gzip",
        "csr",
        "scdataset",
        "scdataset",
        block=1,
        fetch=4_096,
        kind="gzip",
    ),
    _entry(
        "scDataset, blocks of 64, gzip",
        "csr",
        "scdataset",
        "scdataset",
        block=64,
        fetch=4_096,
        kind="gzip",
    ),
    _entry("MappedCollection", "dense", "lamindb", "mapped"),
    _entry("MappedCollection, gzip", "dense", "lamindb", "mapped", kind="gzip"),
    _entry("AnnLoader", "dense", "annloader", "annloader"),
    _entry("scDataLoader", "tokens", "scdataloader", "scdataloader"),
]
OURS = [
    _own("packed, CSR", "csr", "packed", "threads"),
    _own("packed, CSR, one thread ahead", "csr", "packed", None, threads=1),
    _own("packed, CSR, checked always", "csr", "packed", None, check="always"),
    _own("packed, CSR, never checked", "csr", "packed", None, check="never"),
    _own("packed, ragged", "ragged", "packed", "threads", output="ragged"),
    _own("packed, tokens", "tokens", "packed", "threads", output="tokens"),
    _own("packed, dense", "dense", "packed", "threads", output="dense"),
    _own("packed with zstd, CSR", "csr", "packed", "threads", codec="zstd"),
    _own("packed with zstd, CSR, blocks of 32", "csr", "packed", "threads", codec="zstd", block=32),
    _own("files, CSR", "csr", "plain_files", "workers"),
    _own("files, CSR, gzip", "csr", "plain_files", "workers", kind="gzip"),
    _own("files, CSR, blocks of 64", "csr", "plain_files", "workers", block=64),
    _own("files, CSR, blocks of 64, gzip", "csr", "plain_files", "workers", block=64, kind="gzip"),
    _own("files, dense", "dense", "plain_files", "workers", output="dense"),
    _own("files, dense, gzip", "dense", "plain_files", "workers", output="dense", kind="gzip"),
    _own("MappedCorpus", "dense", "mapped", "workers"),
    _own("MappedCorpus, gzip", "dense", "mapped", "workers", kind="gzip"),
]
ENTRIES = {entry.name: entry for entry in [*OURS, *PEERS]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two loaders that give the same; a trailing ``x 2`` means two threads or processes."""

    ours: str
    peer: str
    goal: float | None = None
    """Least ratio of their rates."""


BARE = ("packed, CSR", "packed, ragged", "packed, tokens", "packed, dense")
"""Loaders compared with the compiled functions below them."""
LEAST_OF_BARE = 0.75
DISK = {"packed, CSR": 0.70, "packed with zstd, CSR": 0.45}
"""Most bytes on disk, of annbatch's."""
STEADY = "packed, CSR"
"""Loader whose memory is measured over many cells."""
MOST_PRIVATE, MOST_GROWTH = 300.0, 10.0
"""MiB that no file holds, after 100,000 cells and up to 1,000,000."""
KERNEL = "its kernel"
COMPARISONS = [
    *(Comparison(ours=name, peer=KERNEL, goal=LEAST_OF_BARE) for name in BARE),
    Comparison(ours="packed, CSR", peer="annbatch", goal=5),
    Comparison(ours="packed, CSR x 2", peer="annbatch", goal=8),
    Comparison(ours="packed, CSR, one thread ahead", peer="annbatch"),
    Comparison(ours="packed, ragged", peer="annbatch", goal=9),
    Comparison(ours="packed, ragged x 2", peer="annbatch", goal=9),
    Comparison(ours="packed, CSR", peer="annbatch, one core", goal=5),
    Comparison(ours="packed, ragged", peer="annbatch, one core", goal=9),
    Comparison(ours="packed with zstd, CSR", peer="annbatch"),
    Comparison(ours="packed with zstd, CSR, blocks of 32", peer="annbatch"),
    Comparison(ours="packed, CSR", peer="SCDL", goal=8),
    Comparison(ours="packed, CSR", peer="scDataset, blocks of 16", goal=10),
    Comparison(ours="packed, CSR", peer="HF datasets"),
    Comparison(ours="packed, CSR", peer="HF datasets, stream"),
    Comparison(ours="packed, CSR", peer="cellfm-datasets, one file a batch"),
    Comparison(ours="packed, CSR", peer="cellfm-datasets, mixed"),
    Comparison(ours="packed, tokens", peer="scDataLoader", goal=300),
    Comparison(ours="packed, dense", peer="MappedCollection", goal=25),
    Comparison(ours="packed, dense", peer="AnnLoader"),
    Comparison(ours="packed, CSR x 2", peer="packed, CSR, one thread ahead", goal=1.6),
    Comparison(ours="packed, CSR x 2", peer="packed, CSR"),
    Comparison(ours="files, CSR, blocks of 64", peer="scDataset, blocks of 64", goal=2),
    Comparison(ours="files, CSR, blocks of 64, gzip", peer="scDataset, blocks of 64, gzip", goal=2),
    Comparison(ours="files, CSR", peer="scDataset, blocks of 1", goal=2),
    Comparison(ours="files, CSR, gzip", peer="scDataset, blocks of 1, gzip", goal=2),
    Comparison(ours="files, dense", peer="MappedCollection", goal=2.5),
    Comparison(ours="files, dense, gzip", peer="MappedCollection, gzip", goal=2.5),
    Comparison(ours="MappedCorpus", peer="MappedCollection", goal=2.5),
    Comparison(ours="MappedCorpus, gzip", peer="MappedCollection, gzip", goal=2.5),
    Comparison(ours="files, dense", peer="AnnLoader"),
]
