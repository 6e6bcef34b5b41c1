from __future__ import annotations

import subprocess
import sys

import pytest

import corpuscle.ontologies as ontologies


@pytest.mark.parametrize("name", ontologies.__all__)
def test_public_name_can_be_imported_and_comes_from_its_own_module(name: str) -> None:
    value = getattr(ontologies, name)
    module = getattr(value, "__module__", "corpuscle.ontologies.constants")
    assert module.startswith("corpuscle.ontologies.")


def test_import_loads_nothing_heavy() -> None:
    code = (
        "import sys, corpuscle.ontologies;"
        "from corpuscle.ontologies import *;"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'scipy', 'cellxgene_ontology_guide'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
