"""A packed corpus, readable with its files alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError, NotFoundError
from .._form import Form, Scaling, Tokens
from ..corpus import Corpus
from ._blocks import CACHE_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    from anndata import AnnData

    from .._batch import Batch
    from .._form import Check, Output
    from ..loader import CorpusLoader
    from ._format import Manifest
    from ._reader import PackedReader
    from ._storage import OpenShard, Storage

__all__ = ["PackedCorpus"]


class PackedCorpus:
    """The training form of a version of a corpus: see ``docs/packed-format.md``.

    Open it with `PackedCorpus.open`. Cells are numbered as in `corpus`, so that the same seed gives
    the same batches as the files the corpus was packed from.

    Attributes
    ----------
    path
        Folder or URL.
    corpus
        The corpus that is packed, for a ledger and for lineage. It has no paths of the files.
    genes
        All genes, sorted: the vocabulary if no other is asked for.
    cache_bytes
        Memory that a reader may use for blocks, if the shards are compressed or remote.
    """

    def __init__(self, storage: Storage, manifest: Manifest, *, cache_bytes: int) -> None:
        self._storage = storage
        self._manifest = manifest
        self.path = storage.path
        self.cache_bytes = cache_bytes
        named = {ref["uid"]: "" for ref in manifest.corpus["datasets"]}
        if (listed := manifest.corpus.get("duplicates")) is not None:
            named[listed["key"]] = ""
        self.corpus = Corpus.from_manifest(manifest.corpus, named)
        self.genes = tuple(sorted(set().union(*manifest.genes.values())))

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, cache_bytes: int = CACHE_BYTES, **storage: Any
    ) -> PackedCorpus:
        """Read the manifest. Shards are opened when cells are first read.

        Parameters
        ----------
        path
            Folder with ``manifest.json``, or its URL: ``s3://``, ``gs://``, ``https://``.
        cache_bytes
            Memory of each reader for blocks, if the shards are compressed or remote.
        **storage
            Of a URL: arguments of the file system, see `fsspec.filesystem`.

        Raises
        ------
        NotFoundError
            If there is no packed corpus.
        SchemaError
            If it is of another version of the format.
        IntegrityError
            If the manifest was changed.
        TransferError
            If it cannot be fetched.
        """
        from ._storage import open_storage

        place = open_storage(os.fspath(path), storage)
        return cls(place, place.read_manifest(), cache_bytes=cache_bytes)

    def __repr__(self) -> str:
        facts = self._manifest
        n_bytes = sum(shard.n_bytes for shard in facts.shards)
        return (
            f"PackedCorpus {self.corpus.name!r} version {self.corpus.version!r} ({self.path}): "
            f"{self.n_cells:,} cells x {len(self.genes):,} genes in {len(facts.shards):,} shards "
            f"({facts.codec}, {n_bytes / 1e9:,.2f} GB); classes: "
            f"{', '.join(f'{name} {len(terms):,}' for name, terms in self.classes.items()) or 'none'}"
        )

    def __len__(self) -> int:
        return self.n_cells

    @property
    def n_cells(self) -> int:
        """Cells of all shards."""
        return self.corpus.n_cells

    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """Term ids of each field; the place of a term is its class integer."""
        return self.corpus.classes

    @property
    def max_count(self) -> int | None:
        """Largest value; None if some are not whole."""
        found = [shard.max_count for shard in self._manifest.shards]
        known = [most for most in found if most is not None]
        return max(known, default=0) if len(known) == len(found) else None

    def genes_of(self, organism: str) -> tuple[str, ...]:
        """Genes of one organism, sorted.

        Parameters
        ----------
        organism
            Term id, such as ``NCBITaxon:9606``.

        Raises
        ------
        NotFoundError
            If the corpus has no cells of it.
        """
        if organism not in self._manifest.genes:
            known = ", ".join(self._manifest.genes) or "none"
            msg = f"The corpus has no cells of {organism!r}. It has: {known}."
            raise NotFoundError(msg, {"organism": organism})
        return tuple(self._manifest.genes[organism])

    def shared_genes(self, organism: str | None = None) -> tuple[str, ...]:
        """Genes that every shard has, or every one of an organism; sorted."""
        entries = self._manifest.shards
        wanted = [entry for entry in entries if organism in (None, entry.organism)]
        shards = [shard for shard in self.open_shards() if shard.entry in wanted]
        lists = [set(genes) for genes in {shard.genes for shard in shards}]
        return tuple(sorted(set.intersection(*lists))) if lists else ()

    def projected(
        self, to: str = "NCBITaxon:9606", how: str = "one2one", *, confidence: str = "any"
    ) -> dict[str, str]:
        """Give the names that genes of other organisms have in terms of one organism's.

        Pass it as ``renamed``. Genes without an ortholog are left out; with ``how="sum"`` counts of
        genes that have the same one are summed. See `corpuscle.curation.project_genes`.

        Raises
        ------
        NotFoundError
            If there are no orthologs between an organism and the target.
        """
        from ...curation import ortholog_names

        names = {gene: gene for gene in self._manifest.genes.get(to, ())}
        for organism, genes in self._manifest.genes.items():
            if organism != to:
                names |= ortholog_names(genes, organism, to, how=how, confidence=confidence)
        return names

    def reader(self, form: Form) -> PackedReader:
        """Make a reader of batches; `read` and `loader` do so by themselves."""
        from ..loader import known_labels
        from ._reader import PackedReader

        known_labels(self.corpus, form.labels)
        return PackedReader(self, form, cache_bytes=self.cache_bytes)

    def read(
        self,
        cells: Sequence[int] | npt.NDArray[np.int64],
        *,
        output: Output = "csr",
        labels: Sequence[str] = (),
        genes: Sequence[str] | None = None,
        renamed: Mapping[str, str] | None = None,
        tokens: Tokens | None = None,
        scaling: Scaling | None = None,
        obs: Sequence[str] = (),
        obsm: Sequence[str] = (),
        measured: bool = False,
        check: Check = "first read",
        seed: int = 0,
        epoch: int = 0,
    ) -> Batch:
        """Read some cells. For many batches, `loader` or `reader` are faster.

        Parameters
        ----------
        cells
            Numbers of cells, in any order; repeats are allowed.
        output
            See `CorpusLoader`.
        labels
            Fields to add as class integers.
        genes
            The vocabulary: any list of genes; see also `genes_of` and `shared_genes`. None for all.
        renamed
            Other names of genes, see `projected`.
        tokens
            Which genes become tokens, if `output` is ``"tokens"``.
        scaling
            What is done to counts; by default nothing.
        obs, obsm
            Columns and arrays to add, such as ``obsm=["spatial"]``.
        measured
            Whether to add which genes were measured in each cell.
        check
            When bytes are compared with their hash: ``"first read"`` by this reader, ``"always"`` or
            ``"never"``. Compressed and remote blocks are checked whenever they are fetched.
        seed, epoch
            Decide which genes chance takes.

        Raises
        ------
        InputError
            If a cell is out of range, or an argument cannot be.
        NotFoundError
            If a column, or every gene, is missing.
        IntegrityError
            If bytes are not those that were packed.
        """
        form = Form(
            output=output,
            labels=labels,
            genes=genes,
            renamed=renamed,
            tokens=tokens or Tokens(),
            scaling=scaling or Scaling(),
            obs=obs,
            obsm=obsm,
            measured=measured,
            check=check,
        )
        return self.reader(form).read(self._known_cells(cells), seed=seed, epoch=epoch)

    def loader(self, batch_size: int = 256, **options: Any) -> CorpusLoader:
        """Batches of cells for training: see `CorpusLoader`, which takes the same arguments."""
        from ..loader import CorpusLoader

        return CorpusLoader(self, batch_size, **options)

    def to_anndata(self, cells: Sequence[int] | npt.NDArray[np.int64]) -> AnnData:
        """Give some cells as a dataset, to look at.

        Parameters
        ----------
        cells
            See `read`.

        Returns
        -------
        ``X`` as packed, over all genes of the corpus; ``obs`` and ``obsm`` as packed, with missing
        values for cells of shards that do not have them.
        """
        from ._anndata import to_anndata

        return to_anndata(self, self._known_cells(cells))

    def categories(self, name: str) -> tuple[str, ...]:
        """Give what the integers of an obs column stand for: the categories of all shards, sorted.

        Raises
        ------
        NotFoundError
            If no shard has the column.
        """
        from ._columns import Codes, read_column

        column = read_column(self.open_shards([f"obs/{name}"]), name)
        return column.terms if isinstance(column, Codes) else ()

    def open_shards(self, sections: Sequence[str] = ("genes",)) -> list[OpenShard]:
        """Open all shards, with some sections that will be needed of each."""
        return self._storage.open_shards(self._manifest.shards, sections)

    def _known_cells(self, cells: Any) -> npt.NDArray[np.int64]:
        asked = np.asarray(cells)
        if asked.ndim != 1 or (len(asked) and asked.dtype.kind not in "iu"):
            msg = f"Cells are {asked.dtype} of shape {asked.shape}. Pass a list of whole numbers."
            raise InputError(msg)
        asked = asked.astype(np.int64)
        if len(asked) and not 0 <= asked.min() <= asked.max() < self.n_cells:
            bad = int(asked[(asked < 0) | (asked >= self.n_cells)][0])
            msg = f"There is no cell {bad:,}: the corpus has {self.n_cells:,}, numbered from 0."
            raise InputError(msg, {"cell": bad})
        return asked
