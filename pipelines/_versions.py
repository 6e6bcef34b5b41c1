"""Names of things: stems from keys, numbered versions, the version of the code."""

from __future__ import annotations

import functools
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blake3 import blake3

if TYPE_CHECKING:
    from collections.abc import Iterable

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextVersion:
    """The place of a new version in the chain of its key."""

    uid: str
    """Stem of the key and number of the version, as LaminDB writes them."""
    number: int
    """1 for the first."""

    @property
    def tag(self) -> str:
        """The number as people write it: the ``2`` of ``NAME@2``."""
        return str(self.number)


def stem_uid(key: str, content: str, length: int) -> str:
    """Derive the identifier of a chain of versions from its key and its first content.

    The same bytes under the same key get the same identifier in every registry: after a crash the
    same file is written to the same place, not beside it.

    Examples
    --------
    >>> len(stem_uid("datasets/pbmc", "abc", 16))
    16
    """
    value = int.from_bytes(blake3(f"{key}\0{content}".encode()).digest(length=16))
    digits = []
    for _ in range(length):
        value, digit = divmod(value, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(digits)


def next_versions(model: Any, items: Iterable[tuple[str, str]]) -> list[NextVersion]:
    """Find the next version of each key.

    Parameters
    ----------
    model
        ``Artifact``, ``Collection`` or ``Transform`` of LaminDB.
    items
        Key and content of each new record, in order. A key may come several times.
    """
    items = list(items)
    width = model._len_stem_uid
    chains: dict[str, tuple[str, int]] = {}
    for key, uid in (
        model.objects.filter(key__in={key for key, _ in items})
        .order_by("id")
        .values_list("key", "uid")
    ):
        number = max(_number(uid[width:]) + 1, chains.get(key, ("", 0))[1])
        chains[key] = (uid[:width], number)
    result = []
    for key, content in items:
        stem, number = chains.get(key, (stem_uid(key, content, width), 0))
        chains[key] = (stem, number + 1)
        result.append(NextVersion(uid=f"{stem}{_suffix(number)}", number=number + 1))
    return result


def _number(suffix: str) -> int:
    total = 0
    for character in suffix:
        total = total * len(ALPHABET) + ALPHABET.index(character)
    return total


def _suffix(number: int) -> str:
    digits = ""
    for _ in range(4):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


@functools.cache
def code_version() -> str:
    """Version of this code: of the package, and of the checkout if it runs from one."""
    from importlib.metadata import version

    release = version("corpuscle")
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return release
    git = ["git", "-C", str(root)]
    commit = subprocess.run(
        [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False
    )
    if commit.returncode:
        return release
    changed = subprocess.run(
        [*git, "status", "--porcelain", "--untracked-files=no"],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{release}+g{commit.stdout.strip()}{'.dirty' if changed.stdout.strip() else ''}"
