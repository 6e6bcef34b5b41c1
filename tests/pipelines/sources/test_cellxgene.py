from __future__ import annotations

from corpuscle.pipelines.examples._cellxgene import write_cellxgene

from .conformance import Conformance


class TestCellxGene(Conformance):
    name = "cellxgene"
    write = staticmethod(write_cellxgene)
