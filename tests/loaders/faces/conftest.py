from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from corpuscle.loaders.packed import PackedCorpus
from corpuscle.loaders.packed._pack import pack_corpus

if TYPE_CHECKING:
    from corpuscle.loaders import Corpus


@pytest.fixture(scope="session")
def packed(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> PackedCorpus:
    """The same cells, packed."""
    folder = tmp_path_factory.mktemp("packed")
    pack_corpus(corpus, folder)
    return PackedCorpus.open(folder)


@pytest.fixture(scope="session", params=["files", "packed"])
def source(
    request: pytest.FixtureRequest, corpus: Corpus, packed: PackedCorpus
) -> Corpus | PackedCorpus:
    """Cells to read: files as they are, and the same packed."""
    return packed if request.param == "packed" else corpus
