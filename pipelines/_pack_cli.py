"""The commands that write the training form of a collection, and look whether it is whole."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - cyclopts reads the signatures
from typing import Literal

from ._console import Flag, Json, progress, show


def pack(
    name: str,
    /,
    *,
    out: Path,
    codec: Literal["plain", "zstd"] = "plain",
    processes: int | None = None,
    dry_run: Flag = False,
    json: Json = False,
    home: Path | None = None,
) -> int:
    """Write the training form of a collection: a folder that is read without a registry.

    Packing that was stopped goes on where it was. What another version has packed is used again.

    Parameters
    ----------
    name
        NAME@VERSION, or NAME for the latest version.
    out
        Folder to make.
    codec
        plain for fast local storage, zstd for slow or remote storage.
    processes
        Shards that are written at once; as many as there are cores by default.
    dry_run
        Only tell what there is to do, and how large it will be.
    json
        Print the result as JSON.
    home
        The workspace.
    """
    from ..loaders import PackOptions
    from ._pack import pack as run
    from ._pack_show import packed_view

    collection, _, version = name.partition("@")
    with progress() as bar:
        task = bar.add_task("packing cells", total=None)
        packed = run(
            collection,
            out,
            version=version or None,
            options=PackOptions(codec=codec),
            processes=processes,
            dry_run=dry_run,
            home=home,
            progress=lambda done, n: bar.update(task, completed=done, total=n),
        )
    show(packed.to_dict(), packed_view(packed, dry_run=dry_run), as_json=json)
    return 0


def verify(folder: Path, /, *, json: Json = False) -> int:
    """Check every byte of a packed folder and decode every row, as after a copy. Needs no registry.

    Exit code 3, and the shard and block, if something is not as it was packed.

    Parameters
    ----------
    folder
        That of the manifest.
    json
        Print the result as JSON.
    """
    from ..loaders import verify_packed
    from ._pack_show import verified_view

    with progress() as bar:
        task = bar.add_task("checking cells", total=None)
        found = verify_packed(
            folder, progress=lambda done, n: bar.update(task, completed=done, total=n)
        )
    show(found, verified_view(folder, found), as_json=json)
    return 0
