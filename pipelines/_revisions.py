"""Versions of one dataset: are its cells the same, and only what is said about them new?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SchemaError
from ._collect import name_of
from ._copies import read_cells
from ._copy_links import Compared
from ._copy_tally import Pair
from ._duplicates import find_duplicates
from ._staging import staging

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A version of a dataset and the one before."""

    key: str
    """Name of the dataset."""
    version: str
    before: str
    """The version before."""
    pair: Pair | None
    """Cells in common: `a` is the version before. None if one of them has no fingerprints."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return asdict(self)


def find_revisions(artifacts: Sequence[Any]) -> list[Revision]:
    """Compare datasets with their version before; those with one version are passed over."""
    import lamindb as ln

    found = []
    for artifact in artifacts:
        chain = ln.Artifact.objects.filter(key=artifact.key, id__lt=artifact.id).order_by("id")
        if (before := chain.last()) is not None:
            with staging() as folder:
                try:
                    pair = same_cells(Path(before.path), Path(artifact.path), folder)
                except SchemaError:
                    pair = None
            found.append(
                Revision(
                    key=name_of(artifact),
                    version=artifact.version_tag,
                    before=before.version_tag,
                    pair=pair,
                )
            )
    return found


def same_cells(before: Path, after: Path, folder: Path) -> Pair:
    """Compare two versions of a dataset: only words about its cells changed if both shares are 1.

    Parameters
    ----------
    before, after
        Curated files.
    folder
        See `find_duplicates`.

    Raises
    ------
    SchemaError
        If one of them was curated before cells had fingerprints.
    """
    versions = [
        Compared(uid=name, key=name, path=path, n_cells=sum(len(p) for _, _, p in read_cells(path)))
        for name, path in (("before", before), ("after", after))
    ]
    found = find_duplicates(versions, folder)
    for dataset, version in zip(found.datasets, versions, strict=True):
        if not dataset.compared:
            msg = f"{version.path} was curated before cells had fingerprints. Curate it again."
            raise SchemaError(msg, {"file": str(version.path)})
    pairs = {(pair.a, pair.b): pair for pair in found.pairs}
    if ("after", "before") in pairs:
        return pairs["after", "before"].turned()
    none = Pair(a="before", b="after", n_a=0, n_b=0, share_a=0.0, share_b=0.0, how="fingerprint")
    return pairs.get(("before", "after"), none)
