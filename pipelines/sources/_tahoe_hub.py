"""Shards of Tahoe-100M, listed by the hub that has them or from a folder."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ...errors import InputError, NotFoundError, SchemaError
from ..transfer import RemoteFile
from ._tahoe_tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..transfer import Stat, Transfer

SHARD = re.compile(r"data/(train-(\d{5})-of-(\d{5}))\.parquet")
MAX_LISTING = 2**26
"""Bytes of the hub's description of a repository: about 300 for each of 5,000 files."""


def list_shards(
    transfer: Transfer, base: str
) -> tuple[dict[str, RemoteFile | Stat], list[RemoteFile | Stat]]:
    """List the shards and the tables.

    Parameters
    ----------
    transfer
        What reaches them.
    base
        Where ``data/`` and ``metadata/`` are: a folder, a bucket, or
        ``https://HUB/datasets/OWNER/NAME/resolve/REVISION``.

    Returns
    -------
    Shards by name, sorted, and the files of `TABLES`. Files of a hub have the address of the
    commit that the revision is now.

    Raises
    ------
    InputError
        If `base` is a web page that no hub has.
    NotFoundError
        If there are no shards, or a table is missing.
    SchemaError
        If the hub answers what we do not know, shards are called otherwise or some are missing.
    """
    is_hub = base.startswith(("http://", "https://"))
    found = _of_hub(transfer, base) if is_hub else _of_folder(transfer, base)
    shards: dict[str, RemoteFile | Stat] = {}
    counts: set[int] = set()
    for name in sorted(name for name in found if name.startswith("data/")):
        if (match := SHARD.fullmatch(name)) is None:
            msg = f"{base} has {name!r}, which is not called train-NNNNN-of-NNNNN.parquet. "
            raise SchemaError(msg + "The layout has changed: report it.", {"file": name})
        shards[match[1]] = found[name]
        counts.add(int(match[3]))
    if not shards:
        msg = f"There are no shards of Tahoe-100M in {base}/data. Check --at."
        raise NotFoundError(msg, {"url": base})
    if len(counts) > 1 or (is_hub and counts != {len(shards)}):  # a folder may hold some of them
        msg = (
            f"{base} has {len(shards):,} shards that call themselves parts of "
            f"{' and '.join(f'{n:,}' for n in sorted(counts))}. Wait until all are there."
        )
        raise SchemaError(msg, {"url": base, "n_shards": len(shards)})
    names = [f"metadata/{name}.parquet" for name in TABLES]
    if missing := [name for name in names if name not in found]:
        msg = f"{base} has no {missing[0]}, without which the shards mean nothing. Add it."
        raise NotFoundError(msg, {"url": base, "missing": missing})
    return shards, [found[name] for name in names]


def _of_folder(transfer: Transfer, base: str) -> Mapping[str, RemoteFile | Stat]:
    folders = ("data", "metadata")
    every = [(folder, stat) for folder in folders for stat in transfer.list(f"{base}/{folder}")]
    return {
        f"{folder}/{stat.url.rpartition(f'/{folder}/')[2]}": stat
        for folder, stat in every
        if stat.url.endswith(".parquet")
    }


def _of_hub(transfer: Transfer, base: str) -> Mapping[str, RemoteFile | Stat]:
    """Read the one document that names every file with its hash, and the commit."""
    hub, _, rest = base.partition("/datasets/")
    repo, _, revision = rest.partition("/resolve/")
    if not repo or not revision:
        msg = (
            f"{base} is no place of a hub: it has no list of its files. Give a folder, a bucket, "
            "or https://HUB/datasets/OWNER/NAME/resolve/REVISION as --at."
        )
        raise InputError(msg, {"url": base})
    url = f"{hub}/api/datasets/{repo}/revision/{revision}"
    answer = transfer.read_bytes(url, max_bytes=MAX_LISTING, params={"blobs": "true"})
    try:
        document: Any = json.loads(answer)
        commit = str(document["sha"])
        files = {
            name: RemoteFile(
                url=f"{hub}/datasets/{repo}/resolve/{commit}/{name}",
                size=int(file["size"]),
                checksum=f"sha256:{file['lfs']['sha256']}" if file.get("lfs") else None,
            )
            for file in document["siblings"]
            if (name := str(file["rfilename"])).endswith(".parquet")
            and name.startswith(("data/", "metadata/"))
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unknown(url, f"{type(error).__name__}: {error}") from error
    if re.fullmatch(r"[0-9a-f]{40}", commit) is None:
        raise _unknown(url, f"sha {commit[:40]!r} is no commit")
    return files


def _unknown(url: str, said: str) -> SchemaError:
    msg = (
        f"{url} does not describe a dataset: {said}. "
        "The hub's answer has changed: report it, or give a folder as --at."
    )
    return SchemaError(msg, {"url": url})
