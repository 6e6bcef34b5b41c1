"""The training side: a corpus as files, batches of cells, and what was really served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from ._batch import Batch
    from ._blocks import BlockLoader
    from ._form import Scaling, Tokens
    from ._hierarchy_tensors import hierarchy_tensors
    from ._mapped import MappedCorpus
    from .corpus import Corpus, DatasetRef, DuplicatesFile, obs_column
    from .hierarchical_loss import HierarchicalLoss
    from .ledger import ExposureLedger
    from .loader import CorpusLoader
    from .packed._corpus import PackedCorpus
    from .packed._pack import pack_corpus, verify_packed
    from .packed._write import PackOptions
    from .recording import Recording

__all__ = [
    "Batch",
    "BlockLoader",
    "Corpus",
    "CorpusLoader",
    "DatasetRef",
    "DuplicatesFile",
    "ExposureLedger",
    "HierarchicalLoss",
    "MappedCorpus",
    "PackOptions",
    "PackedCorpus",
    "Recording",
    "Scaling",
    "Tokens",
    "hierarchy_tensors",
    "obs_column",
    "pack_corpus",
    "verify_packed",
]

_HOMES = {
    "Batch": "_batch",
    "BlockLoader": "_blocks",
    "Corpus": "corpus",
    "CorpusLoader": "loader",
    "DatasetRef": "corpus",
    "DuplicatesFile": "corpus",
    "ExposureLedger": "ledger",
    "HierarchicalLoss": "hierarchical_loss",
    "MappedCorpus": "_mapped",
    "PackOptions": "packed._write",
    "PackedCorpus": "packed._corpus",
    "Recording": "recording",
    "Scaling": "_form",
    "Tokens": "_form",
    "hierarchy_tensors": "_hierarchy_tensors",
    "obs_column": "corpus",
    "pack_corpus": "packed._pack",
    "verify_packed": "packed._pack",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
