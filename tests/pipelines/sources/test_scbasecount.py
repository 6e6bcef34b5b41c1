from __future__ import annotations

from functools import partial

from corpuscle.pipelines.examples._scbasecount import write_scbasecount

from .conformance import Conformance


class TestRelease2026(Conformance):
    name = "scbasecount"
    write = staticmethod(write_scbasecount)


class TestRelease2026GeneFull(Conformance):
    name = "scbasecount"
    options = {"feature": "GeneFull", "disease": "study"}  # noqa: RUF012
    write = staticmethod(partial(write_scbasecount, feature="GeneFull"))


class TestRelease2025Velocyto(Conformance):
    name = "scbasecount"
    release = "2025-02-25"
    options = {"feature": "Velocyto"}  # noqa: RUF012
    write = staticmethod(partial(write_scbasecount, release="2025-02-25", feature="Velocyto"))
