"""What all tests share: a registry's place per process, and the real data."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# how long an example takes says more of the machine than of what is tested
settings.register_profile("corpuscle", deadline=None)
settings.load_profile("corpuscle")

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
# LaminDB reads these when it is imported. It must never see the settings of whoever runs the
# tests, and one process has one registry: tests/pipelines makes it in this folder.
HOME = Path(tempfile.mkdtemp(prefix="corpuscle-tests-"))
(HOME / ".corpuscle" / "cache").mkdir(parents=True)
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ |= {
    "LAMIN_SETTINGS_DIR": str(HOME / ".corpuscle"),
    "LAMIN_CACHE_DIR": str(HOME / ".corpuscle" / "cache"),
    "LAMIN_TESTING": "true",
}
for name in ("LAMIN_CURRENT_INSTANCE", "CORPUSCLE_HOME"):
    os.environ.pop(name, None)


@pytest.fixture(scope="session")
def home() -> Path:
    """The folder for the registry of this process."""
    return HOME


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real files, which are not ours to distribute."""
    if not DATA.is_dir():
        pytest.skip("the shared real data is not beside this checkout (../shared/data)")
    return DATA
