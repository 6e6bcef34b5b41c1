"""A hierarchy as a folder of files."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
from blake3 import blake3
from scipy import sparse

from ..errors import ConflictError, IntegrityError, NotFoundError, SchemaError

if TYPE_CHECKING:
    from pathlib import Path

    from .hierarchy import Hierarchy

FORMAT = 1
MANIFEST = "manifest.json"


def content_hash(hierarchy: Hierarchy) -> str:
    """Hash terms, names, structure and releases. See `Hierarchy.content_hash`."""
    words = [
        hierarchy.field,
        hierarchy.n_classes,
        list(hierarchy.terms),
        list(hierarchy.labels),
        sorted(hierarchy.redirects.items()),
        sorted(hierarchy.releases.items()),
    ]
    total = blake3(json.dumps(words, ensure_ascii=False).encode())
    for array in (hierarchy.ancestors.indptr, hierarchy.ancestors.indices, hierarchy.depth):
        total.update(array.astype("<i4").tobytes())
    return total.update(hierarchy.distance.tobytes()).hexdigest()


def save(hierarchy: Hierarchy, folder: Path) -> Path:
    """Write a hierarchy. See `Hierarchy.save`."""
    files = _files(hierarchy)
    manifest = {
        "format": FORMAT,
        "field": hierarchy.field,
        "content_hash": hierarchy.content_hash,
        "ontologies": dict(hierarchy.releases),
        "n_classes": hierarchy.n_classes,
        "n_terms": len(hierarchy.terms),
        "n_leaves": len(hierarchy.leaves),
        "counted": hierarchy.n_cells is not None,
        "files": {name: blake3(content).hexdigest() for name, content in files.items()},
    }
    files[MANIFEST] = (json.dumps(manifest, indent=1) + "\n").encode()
    if folder.exists() and not _is_empty(folder):
        if _holds(folder, files):
            return folder
        msg = f"{folder} holds something else already. Save the hierarchy to a new folder."
        raise ConflictError(msg, {"folder": str(folder)})
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        temporary.mkdir()
        for name, content in files.items():
            with (temporary / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(folder)
        parent = os.open(folder.parent, os.O_RDONLY)
        os.fsync(parent)
        os.close(parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def load(folder: Path) -> Hierarchy:
    """Read a hierarchy. See `Hierarchy.load`."""
    from .hierarchy import Hierarchy

    if not (folder / MANIFEST).is_file():
        msg = f"There is no hierarchy at {folder}: it has no {MANIFEST}. Check the path."
        raise NotFoundError(msg, {"folder": str(folder)})
    manifest = _read_manifest(folder)
    files = {name: _read(folder, name, digest) for name, digest in manifest["files"].items()}
    rows = list(csv.DictReader(_text(files["vocab.tsv"]), delimiter="\t"))
    n_classes = int(manifest["n_classes"])
    counts = [int(row["n_cells"]) for row in rows[:n_classes]] if manifest["counted"] else None
    loaded = Hierarchy(
        field=manifest["field"],
        terms=tuple(row["term_id"] for row in rows),
        labels=tuple(row["label"] for row in rows),
        n_classes=n_classes,
        ancestors=sparse.csr_matrix(sparse.load_npz(io.BytesIO(files["ancestors.npz"]))),
        depth=np.array([int(row["depth"]) for row in rows], dtype=np.uint8),
        information=np.load(io.BytesIO(files["ic.npy"])),
        distance=np.load(io.BytesIO(files["distance.npy"])),
        lin=np.load(io.BytesIO(files["lin.npy"])),
        redirects=dict(csv.reader(_text(files["redirects.tsv"]), delimiter="\t")),
        releases=manifest["ontologies"],
        n_cells=None if counts is None else np.array(counts, dtype=np.int64),
    )
    if loaded.content_hash != manifest["content_hash"]:
        raise _damaged(folder / MANIFEST)
    return loaded


def _files(hierarchy: Hierarchy) -> dict[str, bytes]:
    places = range(len(hierarchy.terms))
    n_cells = [] if hierarchy.n_cells is None else hierarchy.n_cells.tolist()
    cells = [*n_cells, *("" for _ in places[len(n_cells) :])]
    columns = (hierarchy.terms, hierarchy.labels, hierarchy.kinds, hierarchy.depth.tolist(), cells)
    vocabulary = [
        ("index", "term_id", "label", "kind", "depth", "n_cells"),
        *zip(places, *columns, strict=True),
    ]
    return {
        "vocab.tsv": _table(vocabulary),
        "redirects.tsv": _table([*hierarchy.redirects.items()]),
        "ancestors.npz": _npz(hierarchy.ancestors),
        "parents_x_leaves.npz": _npz(hierarchy.parents_x_leaves),
        "distance.npy": _npy(hierarchy.distance),
        "ic.npy": _npy(hierarchy.information),
        "lin.npy": _npy(hierarchy.lin),
    }


def _table(rows: list[Any]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _npz(matrix: sparse.csr_matrix) -> bytes:
    # not compressed: the same bytes whatever the version of zlib
    buffer = io.BytesIO()
    sparse.save_npz(buffer, matrix, compressed=False)
    return buffer.getvalue()


def _npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _text(content: bytes) -> io.StringIO:
    return io.StringIO(content.decode(), newline="")


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _holds(folder: Path, files: dict[str, bytes]) -> bool:
    if not folder.is_dir() or {path.name for path in folder.iterdir()} != set(files):
        return False
    return all((folder / name).read_bytes() == content for name, content in files.items())


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError as error:
        raise _damaged(path) from error
    if manifest.get("format") != FORMAT:
        msg = (
            f"The hierarchy at {folder} has format {manifest.get('format')!r}; this version of "
            f"corpuscle reads format {FORMAT}. Use the version that wrote it."
        )
        raise SchemaError(msg, {"format": manifest.get("format")})
    return manifest


def _read(folder: Path, name: str, digest: str) -> bytes:
    path = folder / name
    if not path.is_file():
        raise _damaged(path)
    content = path.read_bytes()
    if blake3(content).hexdigest() != digest:
        raise _damaged(path)
    return content


def _damaged(path: Path) -> IntegrityError:
    msg = (
        f"{path} is missing or its bytes are not those written. Fetch or save the hierarchy again."
    )
    return IntegrityError(msg, {"file": str(path)})
