from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blake3 import blake3

from corpuscle.curation import atomic_path, content_hash, copy_file
from corpuscle.errors import NotFoundError

if TYPE_CHECKING:
    from pathlib import Path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "new" / "a.txt") as temporary:
        temporary.write_text("whole")
        before = (tmp_path / "new" / "a.txt").exists()
    assert (before, (tmp_path / "new" / "a.txt").read_text(), names(tmp_path / "new")) == (
        False,
        "whole",
        ["a.txt"],
    )


def write_half(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        msg = "stop"
        raise RuntimeError(msg)


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(RuntimeError, match="stop"):
        write_half(tmp_path / "a.txt")
    assert (names(tmp_path), (tmp_path / "a.txt").read_text()) == (["a.txt"], "old")


def test_a_file_that_was_not_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.txt"):
        pass
    assert names(tmp_path) == []


def test_a_copy_has_the_same_content(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("content")
    copy_file(tmp_path / "a.txt", tmp_path / "b.txt")
    assert content_hash(tmp_path / "b.txt") == blake3(b"content").hexdigest()


def test_an_empty_file_has_a_hash(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    assert content_hash(tmp_path / "a.txt") == blake3(b"").hexdigest()


def fill(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ({"x/.zattrs": "1", "y": "2"}, True),
        ({"x/.zattrs": "2", "y": "1"}, False),
        ({"x": "1", "y": "2"}, False),
        ({"x/.zattrs": "1", "y": "2", "z": ""}, False),
    ],
    ids=["same", "swapped", "renamed", "one more"],
)
def test_a_folder_is_hashed_by_names_and_contents(
    tmp_path: Path, other: dict[str, str], is_same: bool
) -> None:
    first = fill(tmp_path / "first", {"y": "2", "x/.zattrs": "1"})
    second = fill(tmp_path / "second", other)
    assert (content_hash(first) == content_hash(second)) == is_same


def test_nothing_has_no_hash(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no file or folder"):
        content_hash(tmp_path / "a.txt")
