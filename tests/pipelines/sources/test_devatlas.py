from __future__ import annotations

from functools import partial

from corpuscle.pipelines.examples._devatlas import write_devatlas

from .conformance import Conformance


class TestDevAtlas(Conformance):
    name = "devatlas"
    write = staticmethod(write_devatlas)


class TestDevAtlasRuns(TestDevAtlas):
    options = {"form": "mtx"}
    write = staticmethod(partial(write_devatlas, form="mtx"))


class TestDevAtlasGeo(TestDevAtlas):
    options = {"form": "geo"}
    write = staticmethod(partial(write_devatlas, form="geo"))


class TestDevAtlasEarlier(TestDevAtlas):
    options = {"form": "gse186069"}
    write = staticmethod(partial(write_devatlas, form="gse186069"))
