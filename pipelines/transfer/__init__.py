"""Remote files brought here: whole, verified, cached, and no further than the cache folder."""

from __future__ import annotations

from ._names import public_url
from ._transfer import Transfer
from ._values import Fetched, RemoteFile, Stat, TransferOptions

__all__ = ["Fetched", "RemoteFile", "Stat", "Transfer", "TransferOptions", "public_url"]
