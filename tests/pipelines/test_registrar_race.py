"""Many processes that register versions of the same keys at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from .test_build_engines import environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEYS, ROUNDS = 5, 8
RACER = """
import random, sys, time
from pathlib import Path
from corpuscle.pipelines import NewFile, NewRun, connect, register
from corpuscle.pipelines._staging import staging

me, home, name, n_keys, rounds, gate = sys.argv[1:]
gate = Path(gate)
connect(home)
from django.db import connection
connection.ensure_connection()
(gate / me).touch()
while not (gate / "go").exists():
    time.sleep(0.005)
for turn in range(int(rounds)):
    with staging() as folder:
        numbers = list(range(int(n_keys)))
        random.Random(int(me) * 1000 + turn).shuffle(numbers)
        runs = []
        for k in numbers:
            staged = folder / str(k)
            staged.write_text(f"{name} {k} by {me}, turn {turn}")
            file = NewFile(key=f"{name} {k}", staged=staged, suffix=".txt", description="race")
            runs.append(NewRun(step=f"{name}, turn {turn}", outputs=[file]))
        assert all(registered.new for (registered,) in register(runs))
"""
CHAINS = """
import json, sys
from pathlib import Path
from corpuscle.pipelines import connect

connect(sys.argv[1])
import lamindb as ln
from django.db import connection
from corpuscle.pipelines._staging import file_facts

rows = []
for a in ln.Artifact.objects.filter(key__startswith=sys.argv[2] + " ").order_by("id"):
    path = Path(str(a.path))
    is_right = file_facts(path)[1] == a.hash
    rows.append([a.key, a.uid, a.version_tag, a.is_latest, is_right, path.read_text()])
steps = ln.Transform.objects.filter(key__startswith=sys.argv[2] + ",")
runs = ln.Run.objects.filter(transform__in=steps).count()
print(json.dumps([connection.vendor, rows, list(steps.values_list("key", "is_latest")), runs]))
"""


def race(
    home: Path, gate: Path, env: Mapping[str, str], *, key: str, n_processes: int
) -> list[Any]:
    """Let processes register side by side; give what is in the registry afterwards."""
    gate.mkdir()
    words = [str(home), key, str(KEYS), str(ROUNDS), str(gate)]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(i), *words],
            env=env,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(n_processes)
    ]
    while len(list(gate.iterdir())) < n_processes and all(r.poll() is None for r in racers):
        time.sleep(0.02)
    (gate / "go").touch()
    for racer in racers:
        _, err = racer.communicate(timeout=250)
        assert racer.returncode == 0, err
    told = subprocess.run(
        [sys.executable, "-c", CHAINS, str(home), key],
        env=env,
        check=True,
        capture_output=True,
        text=True,
    )
    found: list[Any] = json.loads(told.stdout)
    return found


@pytest.mark.parametrize(
    ("database", "n_processes"),
    [
        pytest.param("sqlite", 4, marks=pytest.mark.slow),
        pytest.param("sqlite", 16, marks=pytest.mark.long),
        pytest.param("postgresql", 16, marks=pytest.mark.long),
    ],
)
def test_processes_that_register_versions_of_the_same_keys_lose_none(
    request: pytest.FixtureRequest, tmp_path: Path, database: str, n_processes: int
) -> None:
    if database == "postgresql":
        home, env = request.getfixturevalue("postgres_home")
    else:
        home, env = request.getfixturevalue("workspace").folder, environment(tmp_path)
    key = f"race of {n_processes}"
    vendor, rows, steps, n_runs = race(
        home, tmp_path / "gate", env, key=key, n_processes=n_processes
    )
    assert vendor == database
    n_versions = n_processes * ROUNDS
    assert n_runs == KEYS * n_versions
    assert all(is_right for *_, is_right, _ in rows)
    assert {text for *_, text in rows} == {
        f"{key} {k} by {i}, turn {t}"
        for k in range(KEYS)
        for i in range(n_processes)
        for t in range(ROUNDS)
    }
    for k in range(KEYS):
        chain = [row for row in rows if row[0] == f"{key} {k}"]
        assert [int(tag) for _, _, tag, *_ in chain] == list(range(1, n_versions + 1))
        assert [is_latest for _, _, _, is_latest, *_ in chain] == [False] * (n_versions - 1) + [
            True
        ]
        assert len({uid[:16] for _, uid, *_ in chain}) == 1
        assert len({uid for _, uid, *_ in chain}) == n_versions
    assert sorted(steps) == [[f"{key}, turn {t}", True] for t in range(ROUNDS)]
