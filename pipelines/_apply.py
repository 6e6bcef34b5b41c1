"""Answers of curators become decisions: all of a file or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import LabelMappingError
from ..ontologies import Decision, Problem, check_decisions, find_target, refuse
from ._collect import find_datasets, name_of
from ._memory import record
from ._memory_file import read_decision_file
from ._review import ingest_commands, known_labels, outdated
from ._sheet import Answers, read_sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ._memory import Recorded
    from ._review import OpenLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of answers."""

    recorded: Recorded
    skipped: int
    notes: tuple[str, ...]
    datasets: tuple[str, ...]
    """Datasets that the decisions change, ``NAME@VERSION``."""
    commands: tuple[str, ...]
    """Commands that curate these again."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {
            **self.recorded.to_dict(),
            "skipped": self.skipped,
            "notes": list(self.notes),
            "datasets": list(self.datasets),
            "commands": list(self.commands),
        }


def apply_file(path: Path, *, reviewer: str, dry_run: bool = False) -> Applied:
    """Record the decisions of a file: a sheet of ``corpuscle review``, or an SSSOM table.

    Everything is checked before anything is written.

    Parameters
    ----------
    path
        The file.
    reviewer
        Who decided.
    dry_run
        Only tell what would change.

    Raises
    ------
    LabelMappingError
        If anything in it is wrong; the message counts all problems, the details list them.
    NotFoundError
        If there is no such file.
    SchemaError
        If it is neither a sheet nor SSSOM.
    ConflictError
        If other processes kept the registry for a minute.
    """
    if path.is_file() and _is_sssom(path):
        decisions, problems = read_decision_file(path)
        answers = Answers(decisions=tuple(decisions), problems=tuple(problems))
    else:
        answers = read_sheet(path, known_labels)
    return apply(answers, reviewer=reviewer, source=path, dry_run=dry_run)


def _is_sssom(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline()
    return first.startswith((b"#", b"\xef\xbb\xbf#")) or b"predicate_id" in first


def apply(
    answers: Answers, *, reviewer: str, source: Path | None = None, dry_run: bool = False
) -> Applied:
    """Check and record answers, and find the datasets that they change; see `apply_file`."""
    decided, problems = check_decisions(answers.decisions)
    names = {name_of(artifact) for artifact in find_datasets()}
    strangers = [
        Problem(
            kind="unknown dataset",
            line=decision.line,
            message=f"there is no dataset {decision.dataset!r}; `corpuscle status` lists them",
        )
        for decision in answers.decisions
        if decision.dataset and decision.dataset not in names
    ]
    every = sorted([*answers.problems, *problems, *strangers], key=lambda problem: problem.line)
    refuse(every, str(source or "the answers"))
    recorded = record(decided, reviewer=reviewer, source=source, dry_run=dry_run)
    changed = outdated(recorded.memory)
    return Applied(
        recorded=recorded,
        skipped=answers.skipped,
        notes=answers.notes,
        datasets=tuple(f"{name_of(artifact)}@{artifact.version_tag}" for artifact in changed),
        commands=tuple(ingest_commands(changed)),
    )


def ask(
    items: Sequence[OpenLabel], *, read: Callable[[str], str], say: Callable[[str], None]
) -> Iterator[Decision]:
    """Ask for one label after the other, until they are all answered or nobody answers.

    Parameters
    ----------
    items
        Open labels.
    read
        Asks and gives the answer; `EOFError` means that there is none.
    say
        Shows a text.

    Yields
    ------
    One decision per label that was answered, checked.
    """
    for number, item in enumerate(items, start=1):
        say(_question(item, number, len(items)))
        answer = None
        while answer is None:
            try:
                text = read("number, id or name, n = none, s = skip, q = quit > ").strip()
            except EOFError:
                return
            if text == "q":
                return
            if text in ("", "s"):
                break
            answer = _answer(item, number, text, say)
        if answer is not None:
            yield answer


def _question(item: OpenLabel, number: int, n_items: int) -> str:
    where = f"{item.n_cells:,} cells of {', '.join(item.datasets)}"
    tissues = f"; {', '.join(item.tissues)}" if item.tissues else ""
    lines = [f"\n{number} of {n_items}  {item.field}: {item.label}", f"  {where}{tissues}"]
    for place, candidate in enumerate(item.candidates, start=1):
        lines.append(f"  {place}  {candidate.term_id} {candidate.label}")
        if candidate.definition:
            lines.append(f"     {candidate.definition}")
    return "\n".join(lines)


def _answer(item: OpenLabel, number: int, text: str, say: Callable[[str], None]) -> Decision | None:
    target = "none" if text == "n" else text
    if text.isdigit() and 1 <= int(text) <= len(item.candidates):
        target = item.candidates[int(text) - 1].term_id
    try:
        found = find_target(target, field=item.field, organism=item.organism or None)
    except LabelMappingError as error:
        say(f"  {error.message}")
        return None
    say(f"  {found.term_id} {found.term_label}".rstrip())
    return Decision(
        line=number,
        field=item.field,
        label=item.label,
        target=found.term_id,
        organism=item.organism,
    )
