from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("curation", "loaders", "ontologies", "pipelines")


def _project() -> dict[str, dict[str, object]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]  # type: ignore[no-any-return]


def test_every_package_of_the_tree_is_listed() -> None:
    found = {
        f"corpuscle.{path.parent.relative_to(ROOT).as_posix().replace('/', '.')}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert set(_project()["packages"]) == found | {"corpuscle"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_is_linked_under_the_import_name(folder: str) -> None:
    link = ROOT / "corpuscle" / folder
    assert link.is_symlink()
    assert link.readlink() == Path("..") / folder


@pytest.mark.slow
def test_a_wheel_holds_every_module_and_data_file_under_one_name(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    source = tmp_path / "source"
    tracked = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    for name in tracked:  # a build in the checkout would leave a folder behind
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        target = source / name
        if (ROOT / name).is_symlink():
            target.symlink_to((ROOT / name).readlink())
        elif (ROOT / name).exists():
            target.write_bytes((ROOT / name).read_bytes())
    subprocess.run([*pip, "--no-deps", "--wheel-dir", str(tmp_path), str(source)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {
        f"corpuscle/{path.relative_to(ROOT).as_posix()}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    own = {f"corpuscle/{path.name}" for path in (ROOT / "corpuscle").iterdir() if path.is_file()}
    assert "corpuscle/py.typed" in own
    assert inside == expected | own


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_cannot_be_imported_by_its_bare_name(folder: str) -> None:
    code = f"import {folder}.{_any_module(folder)}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "relative import" in done.stderr


def _any_module(folder: str) -> str:
    return {"curation": "_dataset", "loaders": "corpus", "ontologies": "labels"}.get(
        folder, "_setup"
    )


@pytest.mark.parametrize(
    ("importer", "forbidden"),
    [
        ("ontologies", ("curation", "loaders", "pipelines")),
        ("curation", ("loaders", "pipelines")),
        ("loaders", ("curation", "pipelines")),
    ],
)
def test_arrows_between_folders_run_one_way(importer: str, forbidden: tuple[str, ...]) -> None:
    words = [
        f"{prefix}{name}"
        for name in forbidden
        for prefix in ("from ..", "from corpuscle.", "import corpuscle.")
    ]
    offenders = [
        (path.name, word)
        for path in (ROOT / importer).rglob("*.py")
        for word in words
        if word in path.read_text()
    ]
    assert offenders == []


def test_importing_corpuscle_imports_nothing_heavy() -> None:
    code = (
        "import sys, corpuscle, corpuscle.curation, corpuscle.loaders, corpuscle.ontologies, "
        "corpuscle.pipelines, corpuscle.pipelines.cli; "
        "print(sorted({'torch', 'lamindb', 'pandas', 'anndata', 'scanpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["corpuscle", *(f"corpuscle.{folder}" for folder in FOLDERS)])
def test_public_names_are_there_and_others_are_not(name: str) -> None:
    package = import_module(name)  # that __all__ is sorted is checked by ruff
    assert all(getattr(package, public) is not None for public in package.__all__)
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = package.nonsense
