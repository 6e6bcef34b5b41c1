"""Packed corpora: the form that training reads, see ``docs/packed-format.md``."""
