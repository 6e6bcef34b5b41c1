from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from corpuscle.curation import content_hash
from corpuscle.pipelines.transfer import RemoteFile, Transfer

if TYPE_CHECKING:
    from pathlib import Path

FILE = RemoteFile(url="s3://bucket/store", name="slice.h5ad")


def test_a_file_is_made_once_and_kept_by_its_version(tmp_path: Path) -> None:
    transfer, made = Transfer(cache=tmp_path), []

    def write(path: Path) -> None:
        made.append(path)
        path.write_text(f"content {len(made)}")

    with transfer.make(FILE, write, version="1") as first:
        assert first.path.name == "slice.h5ad"
        assert first.path.read_text() == "content 1"
        assert (first.size, first.hash) == (9, content_hash(first.path))
    with transfer.make(FILE, write, version="1") as again:
        assert again == first
    with transfer.make(FILE, write, version="2") as other:
        assert other.path.read_text() == "content 2"


def test_a_file_that_fails_is_not_kept_and_made_anew(tmp_path: Path) -> None:
    transfer = Transfer(cache=tmp_path)

    def fail(path: Path) -> None:
        path.write_text("half")
        raise ValueError(path.name)

    with pytest.raises(ValueError, match="part"), transfer.make(FILE, fail, version="1"):
        pass
    with transfer.make(FILE, lambda path: path.write_text("whole"), version="1") as file:  # type: ignore[arg-type]
        assert file.path.read_text() == "whole"


def test_files_of_one_url_are_told_apart_by_their_names(tmp_path: Path) -> None:
    transfer = Transfer(cache=tmp_path)
    other = RemoteFile(url=FILE.url, name="other.h5ad")
    with (
        transfer.make(FILE, lambda path: path.touch(), version="1") as first,
        transfer.make(other, lambda path: path.touch(), version="1") as second,
    ):
        assert first.path != second.path
