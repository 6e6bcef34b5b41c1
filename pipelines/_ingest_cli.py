"""The commands that bring datasets in."""

from __future__ import annotations

import datetime  # noqa: TC003 - cyclopts reads the signatures
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ..errors import InputError
from ._console import Flag, Json, Pairs, complain, progress, show

if TYPE_CHECKING:
    from ._outcome import Watch
    from .sources import Source, Wanted


@dataclass(kw_only=True)
class Choice:
    """Which datasets of a source.

    Parameters
    ----------
    tissue
        Of a source: only datasets with this tissue, or a part of it. A name or id; may be repeated.
    assay
        Likewise.
    disease
        Likewise.
    id
        Of a source: only the dataset it calls so, with * and ? as in a shell. May be repeated.
    released_before
        Of a source: only what was released before this day.
    limit
        Of a source: at most so many datasets, besides those that are skipped.
    release
        Of a source: which of its releases. The newest by default.
    mirror
        Of a source: URL or folder of a copy, laid out as the publisher's.
    option
        Of a source: NAME=VALUE, a choice it has. May be repeated.
    """

    tissue: Pairs | None = None
    assay: Pairs | None = None
    disease: Pairs | None = None
    id: Pairs | None = None
    released_before: datetime.date | None = None
    limit: int | None = None
    release: str | None = None
    mirror: str | None = None
    option: Pairs | None = None

    def wanted(self, organism: str | None) -> Wanted:
        """Make the choice among what a source lists."""
        from .sources import Wanted

        terms = {"tissue": self.tissue, "assay": self.assay, "disease": self.disease}
        return Wanted.of(
            organism=organism,
            terms={name: words or () for name, words in terms.items()},
            ids=self.id or (),
            released_before=self.released_before,
        )

    def source(self, name: str) -> Source:
        """Open a source."""
        from .sources import get_source
        from .transfer import Transfer

        pairs = [text.partition("=") for text in self.option or ()]
        for key, sign, value in pairs:
            if not key or not sign:
                msg = f"--option {key + value!r} is not NAME=VALUE. See `corpuscle sources {name}`."
                raise InputError(msg, {"option": key + value})
        return get_source(name)(
            Transfer.from_environment(),
            release=self.release,
            at=self.mirror,
            options={key: value for key, _, value in pairs},
        )


Chosen = Annotated[Choice, Parameter(name="*")]


def ingest(
    *what: str,
    organism: str | None = None,
    choice: Chosen | None = None,
    column: Pairs | None = None,
    set: Pairs | None = None,
    layer: str | None = None,
    gene_column: str | None = None,
    genome: str | None = None,
    min_gene_share: float = 0.5,
    name: str | None = None,
    dry_run: Flag = False,
    json: Json = False,
    home: Path | None = None,
) -> int:
    """Curate and register datasets: files (.h5ad, .zarr, 10x .h5, mtx folders), or a source by name.

    Nothing is guessed: what cannot be decided is reported with the option that decides it.
    `corpuscle sources` lists the sources. A run that stops goes on where it was.
    Exit code 0 if everything is registered, 1 if something was refused.

    Parameters
    ----------
    what
        Files, and folders of files; or the name of one source.
    organism
        Taxon id or name. Of a source: only cells of this organism. Of files: theirs; decided from
        each file by default.
    choice
        Which datasets of a source.
    column
        FIELD=COLUMN of obs that holds a label class, when it is called otherwise. May be repeated.
    set
        FIELD=LABEL that holds for every cell. May be repeated.
    layer
        Matrix with the raw counts, where several layers could be it.
    gene_column
        Column of var with the gene ids or symbols; index for the index.
    genome
        Genome of a 10x file of several.
    min_gene_share
        Least share of the features that must be genes.
    name
        Name of the dataset, for a single file.
    dry_run
        Only tell what would be done.
    json
        Print the outcomes as JSON.
    home
        The workspace.
    """
    from ..curation import CurationOptions, parse_assignments
    from ..ontologies import FIELDS
    from ._lamin import connect
    from ._show import ingest_view

    if not what:
        complain("usage", "Name at least one file or folder, or a source: corpuscle ingest PATH...")
        return 2
    options = CurationOptions(
        organism=organism,
        columns=parse_assignments(column or (), option="--column", fields=FIELDS),
        constants=parse_assignments(set or (), option="--set", fields=FIELDS),
        layer=layer,
        gene_column=gene_column,
        genome=genome,
        min_gene_share=min_gene_share,
    )
    is_source = _is_source(what)
    choice = choice or Choice()
    if is_source:
        _refuse({"name": name}, "is for a file, and this is a source", what[0])
    else:
        _refuse(asdict(choice), "is for sources, and these are files", what[0])
    connect(home)
    with progress() as bar:
        watch = _watch(bar)
        if is_source:
            from ._ingest import ingest_source

            found = ingest_source(
                choice.source(what[0]),
                choice.wanted(organism),
                limit=choice.limit,
                options=options,
                dry_run=dry_run,
                watch=watch,
            )
        else:
            from ._ingest import ingest as run

            found = run(what, options=options, name=name, dry_run=dry_run, watch=watch)
        outcomes = list(found)
    show([outcome.to_dict() for outcome in outcomes], ingest_view(outcomes), as_json=json)
    return int(any(outcome.status == "refused" for outcome in outcomes))


def _is_source(what: tuple[str, ...]) -> bool:
    """Tell the name of a source from paths."""
    from .sources import SOURCES

    if len(what) > 1 or what[0] == "local" or what[0] not in SOURCES:
        return False
    if Path(what[0]).exists():
        msg = (
            f"{what[0]} is a source, and there is a file or folder of that name here. "
            f"Write ./{what[0]} for the latter, or go elsewhere for the former."
        )
        raise InputError(msg, {"what": what[0]})
    return True


def _refuse(options: dict[str, Any], reason: str, what: str) -> None:
    for name, value in options.items():
        if value is not None:
            msg = f"--{name.replace('_', '-')} {reason} ({what}). Leave it out."
            raise InputError(msg, {"option": name, "what": what})


def _watch(bar: Any) -> Watch:
    from ._outcome import Watch

    tasks = {name: bar.add_task(name, total=None) for name in ("datasets", "bytes", "cells")}

    def start(number: int, n: int, title: str) -> None:
        bar.update(tasks["datasets"], description=title, completed=number, total=n)
        bar.reset(tasks["bytes"], total=None)
        bar.reset(tasks["cells"], total=None)

    return Watch(
        start=start,
        cells=lambda done, n: bar.update(tasks["cells"], completed=done, total=n),
        bytes=lambda done, n: bar.update(tasks["bytes"], completed=done, total=n),
    )


def sources(
    name: str | None = None,
    /,
    *,
    organism: str | None = None,
    choice: Chosen | None = None,
    json: Json = False,
) -> int:
    """List the sources, or the datasets that one of them offers.

    Parameters
    ----------
    name
        A source. All sources by default.
    organism
        Only datasets of this organism.
    choice
        Which datasets of the source.
    json
        Print the list as JSON.
    """
    from ._sources_show import datasets_view, source_facts, sources_view
    from .sources import SOURCES, get_source
    from .sources._wanted import first_taken

    if name is None:
        facts = [source_facts(get_source(known)) for known in SOURCES]
        show(facts, sources_view(facts), as_json=json)
        return 0
    choice = choice or Choice()
    source = choice.source(name)
    with progress() as bar:
        task = bar.add_task(f"listing {name}", total=None)
        found = []
        for dataset in first_taken(source.datasets(choice.wanted(organism)), choice.limit):
            found.append(dataset)
            bar.update(task, completed=len(found))
    show([d.to_dict() for d in found], datasets_view(source, found), as_json=json)
    return 0
