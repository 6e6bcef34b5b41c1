"""Small generated files, laid out and spelt as each source publishes them."""

from __future__ import annotations
