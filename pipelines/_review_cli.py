"""Commands about decisions: review, lineage decision, references upgrade."""

from __future__ import annotations

import getpass
from pathlib import Path  # noqa: TC003 - cyclopts reads the signatures
from typing import TYPE_CHECKING

from ..errors import InputError
from ._console import Flag, Json, Pairs, complain, err, show

if TYPE_CHECKING:
    from ..ontologies import Decision
    from ._review import OpenLabel


def review(
    *,
    field: Pairs | None = None,
    dataset: Pairs | None = None,
    limit: int | None = None,
    out: Path | None = None,
    apply: Path | None = None,
    interactive: Flag = False,
    reviewer: str | None = None,
    dry_run: Flag = False,
    json: Json = False,
    home: Path | None = None,
) -> int:
    """List the labels that have no term yet, most cells first, and take decisions about them.

    Exit code 1 if anything in the file to apply is wrong: then nothing of it is taken over.

    Parameters
    ----------
    field
        Only this field. May be repeated.
    dataset
        Only datasets of this name, with * and ? as in a shell. May be repeated.
    limit
        At most so many labels.
    out
        Write them to a new file for a spreadsheet program: .csv, or separated by tabs.
    apply
        Record the decisions in this file: one of --out with the column decision filled in
        (a term id, a term's name, none, or skip), or an SSSOM table.
    interactive
        Ask for one after the other. What was answered is kept, also after Ctrl-C.
    reviewer
        Who decides. The name of this user by default.
    dry_run
        Only check, and tell what would change.
    json
        Print the result as JSON.
    home
        The workspace.
    """
    from ._apply import apply_file
    from ._lamin import connect
    from ._review import open_labels
    from ._review_show import applied_view, open_view
    from ._sheet import write_sheet

    if sum((out is not None, apply is not None, interactive)) > 1:
        complain("usage", "Choose one of --out, --apply and --interactive.")
        return 2
    who = reviewer if reviewer is not None else _user()
    connect(home)
    if apply is not None:
        try:
            applied = apply_file(apply, reviewer=who, dry_run=dry_run)
        except InputError as error:
            if not json:
                raise
            show({"kind": error.kind, "message": error.message, **error.details}, "", as_json=True)
            return 1
        show(applied.to_dict(), applied_view(applied, dry_run=dry_run), as_json=json)
        return 0
    items = open_labels(fields=field or (), patterns=dataset or (), limit=limit)
    if interactive:
        return _ask(items, reviewer=who, dry_run=dry_run, json=json)
    if out is not None and not dry_run:
        write_sheet(items, out)
    show([item.to_dict() for item in items], open_view(items, out), as_json=json)
    return 0


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without names
        return ""


def _ask(items: list[OpenLabel], *, reviewer: str, dry_run: bool, json: bool) -> int:
    """Ask, and record what was answered however the asking ended."""
    from ._apply import apply, ask
    from ._review_show import applied_view
    from ._sheet import Answers

    decisions: list[Decision] = []
    code = 0
    try:
        for decision in ask(
            items,
            read=lambda prompt: err.input(prompt, markup=False),
            say=lambda text: err.print(text, markup=False, highlight=False),
        ):
            decisions.append(decision)  # noqa: PERF402 - those before Ctrl-C must be kept
    except KeyboardInterrupt:
        err.print("\ninterrupted: what was answered is kept")
        code = 130
    answers = Answers(decisions=tuple(decisions), problems=(), skipped=len(items) - len(decisions))
    applied = apply(answers, reviewer=reviewer, dry_run=dry_run)
    show(applied.to_dict(), applied_view(applied, dry_run=dry_run), as_json=json)
    return code


def decision(field: str, label: str, /, *, json: Json = False, home: Path | None = None) -> int:
    """Tell which datasets, collections and models the decision about a label touches.

    Parameters
    ----------
    field
        The field, such as cell_type.
    label
        The label, exactly as its author wrote it.
    json
        Print it as JSON.
    home
        The workspace.
    """
    from ._decision_lineage import lineage_of_decision
    from ._lamin import connect
    from ._review_show import decision_view

    connect(home)
    found = lineage_of_decision(field, label)
    show(found.to_dict(), decision_view(found), as_json=json)
    return 0


def upgrade(*, schema: str, json: Json = False, home: Path | None = None) -> int:
    """Tell what another release of the ontologies would change. Nothing is changed.

    Parameters
    ----------
    schema
        Version of the CELLxGENE schema whose ontologies to compare with those in use.
    json
        Print it as JSON.
    home
        The workspace.
    """
    from ._lamin import connect
    from ._review_show import upgrade_view
    from ._upgrade import upgrade_report

    connect(home)
    found = upgrade_report(schema)
    show(found.to_dict(), upgrade_view(found, schema), as_json=json)
    return 0
