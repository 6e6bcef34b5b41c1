"""Places of files that others keep."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from blake3 import blake3

from ._lamin import insert

if TYPE_CHECKING:
    from collections.abc import Iterable


def storages(urls: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Find or insert the storage of each URL: its bucket or host.

    Parameters
    ----------
    urls
        ``s3://``, ``gs://``, ``http://`` or ``https://``.

    Returns
    -------
    By URL: the id of the storage, and the name of the file in it.
    """
    import lamindb as ln

    parts = {url: urlsplit(url) for url in urls}
    roots = sorted({f"{part.scheme}://{part.netloc}" for part in parts.values()})
    known = dict(ln.Storage.objects.filter(root__in=roots).values_list("root", "id"))
    new = [root for root in roots if root not in known]
    insert(
        ln.Storage,
        {
            "uid": [blake3(root.encode()).hexdigest()[:12] for root in new],
            "root": new,
            "type": [urlsplit(root).scheme for root in new],
            "description": "A publisher's: read, never written",
        },
        n_rows=len(new),
    )
    known |= dict(ln.Storage.objects.filter(root__in=new).values_list("root", "id"))
    return {
        url: (known[f"{part.scheme}://{part.netloc}"], part.path.lstrip("/"))
        for url, part in parts.items()
    }
