"""Files from elsewhere."""

from __future__ import annotations

from ._files import Fetched, RemoteFile, Stat

__all__ = ["Fetched", "RemoteFile", "Stat"]
