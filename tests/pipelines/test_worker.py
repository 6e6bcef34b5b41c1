from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from corpuscle.errors import CrashError, SchemaError
from corpuscle.pipelines import Watch, ingest
from corpuscle.pipelines._memory_limit import memory_bytes
from corpuscle.pipelines._worker import Worker, file_reader

from .conftest import write_h5ad

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corpuscle.pipelines import Workspace

HERE = Path(__file__).parent


@pytest.fixture
def acts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Functions that another process can import too."""
    monkeypatch.syspath_prepend(str(HERE))
    return import_module("hostile_functions")


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(stall_s=20)
    yield worker
    worker.close()


def test_results_and_progress_come_back(worker: Worker, acts: Any) -> None:
    seen: list[tuple[int, int]] = []
    total, pid = worker.call(
        acts.add, 1, b=2, about="a", on_progress=lambda *done: seen.append(done)
    )
    assert (total, seen) == (3, [(1, 2), (2, 2)])
    assert pid != os.getpid()


def test_one_process_does_one_thing_after_another(worker: Worker, acts: Any) -> None:
    pids = {worker.call(acts.add, 1, 2, about="a")[1] for _ in range(3)}
    assert len(pids) == 1


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda acts: partial(acts.die, signal.SIGSEGV), r"signal 11 \(SIGSEGV\)\. The file is"),
        (lambda acts: partial(acts.die, signal.SIGABRT), r"signal 6 \(SIGABRT\)\. The file is"),
        (lambda acts: partial(acts.die, signal.SIGKILL), r"signal 9 \(SIGKILL\)\. The system may"),
        (lambda acts: acts.leave, r"ended with code 7\. The file is"),
    ],
    ids=["segfault", "abort", "killed", "exit"],
)
def test_a_death_is_an_error_and_the_next_gets_a_new_process(
    worker: Worker, acts: Any, act: Callable[[Any], Any], message: str
) -> None:
    with pytest.raises(CrashError, match=f"The process that read bad.h5ad .*{message}") as dead:
        worker.call(act(acts), about="bad.h5ad")
    assert dead.value.details["file"] == "bad.h5ad"
    assert worker.call(acts.add, 1, 2, about="good")[0] == 3


def test_what_the_process_said_last_is_in_the_details(worker: Worker, acts: Any) -> None:
    with pytest.raises(CrashError) as dead:
        worker.call(acts.die, signal.SIGSEGV, about="a")
    said = str(dead.value.details["stderr"])
    assert "about to die" in said
    assert "hostile_functions.py" in said


def test_a_loop_is_ended(acts: Any) -> None:
    worker = Worker(stall_s=3)
    started = time.monotonic()
    with pytest.raises(CrashError, match=r"Reading a\.h5ad gave no sign of life for 3 seconds"):
        worker.call(acts.loop, about="a.h5ad")
    assert time.monotonic() - started < 20
    assert worker.call(acts.add, 1, 2, about="b")[0] == 3
    worker.close()


def test_signs_of_life_keep_long_work_alive(acts: Any) -> None:
    worker = Worker(stall_s=3)
    worker.call(acts.add, 1, 2, about="a")
    assert worker.call(acts.work, 5.0, about="a") == "done"
    worker.close()


def test_more_memory_than_allowed_is_an_error(acts: Any) -> None:
    worker = Worker(max_bytes=600_000_000)
    with pytest.raises(CrashError, match=r"takes more memory than the 0\.6 GB allowed\. Run on"):
        worker.call(acts.grow, about="a.h5ad")
    assert worker.call(acts.add, 1, 2, about="b")[0] == 3
    worker.close()


def test_the_default_limit_is_less_than_the_machine_has() -> None:
    assert 0 < Worker().max_bytes < memory_bytes() <= psutil.virtual_memory().total


def test_our_own_errors_come_back_as_they_are(worker: Worker, acts: Any) -> None:
    with pytest.raises(SchemaError, match=r"^a\.h5ad has no obs\. Write it again\.$") as refused:
        worker.call(acts.refuse, about="a.h5ad")
    assert refused.value.details == {"file": "a.h5ad"}
    assert not hasattr(refused.value, "__notes__")


@pytest.mark.parametrize(
    ("name", "kind", "note"),
    [
        ("fail", ZeroDivisionError, "return 1 / 0"),
        ("fail_oddly", RuntimeError, "raise _Unpicklable(1, 2)"),
        ("odd_result", Exception, "pickle"),
    ],
)
def test_other_errors_come_back_with_their_traceback(
    worker: Worker, acts: Any, name: str, kind: type[Exception], note: str
) -> None:
    with pytest.raises(kind) as raised:
        worker.call(getattr(acts, name), about="a")
    assert note in raised.value.__notes__[0]
    assert worker.call(acts.add, 1, 2, about="b")[0] == 3


def test_setup_runs_before_the_first_task_and_when_it_changes(worker: Worker, acts: Any) -> None:
    found = []
    for value in ("one", "one", "two"):
        worker.setup = partial(acts.set_state, value)
        found.append(worker.call(acts.state, about="a"))
    assert found == ["one", "one", "two"]


def test_an_interrupted_call_ends_the_process(worker: Worker, acts: Any) -> None:
    _, pid = worker.call(acts.add, 1, 2, about="a")

    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker.call(acts.add, 1, 2, about="a", on_progress=interrupt)
    assert not psutil.pid_exists(pid)


def test_a_process_that_died_in_between_is_replaced(worker: Worker, acts: Any) -> None:
    _, pid = worker.call(acts.add, 1, 2, about="a")
    os.kill(pid, signal.SIGKILL)
    psutil.Process(pid).wait(timeout=10)
    assert worker.call(acts.add, 1, 2, about="a")[0] == 3


PARENT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import hostile_functions
from corpuscle.pipelines._worker import Worker
Worker().call(hostile_functions.loop, Path(sys.argv[2]), about="a")
"""
"""No guard around it: the process must not run it again."""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_its_parent(tmp_path: Path, how: signal.Signals) -> None:
    note, script = tmp_path / "pid", tmp_path / "script.py"
    script.write_text(PARENT)
    words = [sys.executable, str(script), str(HERE), str(note)]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as parent:
        while not (note.exists() and note.read_text()):
            assert parent.poll() is None
            time.sleep(0.02)
        parent.send_signal(how)
    deadline = time.monotonic() + 10
    while psutil.pid_exists(int(note.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_file_whose_reader_dies_costs_only_itself(workspace: Workspace, tmp_path: Path) -> None:
    for i in range(3):
        write_h5ad(tmp_path / f"d{i}.h5ad", seed=i)

    readers: list[int] = []

    def find_reader(number: int, *_: object) -> None:
        if number == 1:
            children = psutil.Process().children()
            readers.extend(p.pid for p in children if "_worker_process" in "".join(p.cmdline()))

    def kill_reader(*_: int) -> None:
        if readers:
            os.kill(readers.pop(), signal.SIGSEGV)

    outcomes = list(ingest([tmp_path], watch=Watch(start=find_reader, cells=kill_reader)))
    assert [outcome.status for outcome in outcomes] == ["new", "refused", "new"]
    error = outcomes[1].error or {}
    assert (error["kind"], "signal 11" in error["message"]) == ("crash", True)


def test_a_file_that_takes_too_much_memory_costs_only_itself(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_h5ad(tmp_path / "a.h5ad", n_cells=400_000)
    write_h5ad(tmp_path / "b.h5ad")
    file_reader().close()
    monkeypatch.setattr(file_reader(), "max_bytes", 900_000_000)
    outcomes = list(ingest([tmp_path]))
    file_reader().close()
    assert [outcome.status for outcome in outcomes] == ["refused", "new"]
    assert "0.9 GB allowed" in (outcomes[0].error or {})["message"]
