"""The whole way, from messy files to the answer of what a model was fed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._collect import collect, open_corpus
from ._ingest import ingest, ingest_source
from ._lineage import lineage_of_model
from ._setup import init
from ._show import collect_view, ingest_view, lineage_view
from .examples import MIRRORS, write_examples, write_mirrors
from .sources import get_source
from .transfer import Transfer

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from ..loaders import Corpus, CorpusLoader
    from ._outcome import Outcome

EPOCHS, BATCH_SIZE, LEARNING_RATE = 5, 128, 5e-4


def run(
    folder: str | os.PathLike[str] | None = None,
    *,
    data: str | os.PathLike[str] | None = None,
    say: Callable[[Any], None],
    wait: Callable[[str], AbstractContextManager[Any]],
) -> None:
    """Ingest, collect, train and ask.

    Parameters
    ----------
    folder
        Workspace to make or to go on with; ``demo``, or ``demo-data`` with `data`, by default.
    data
        Folder of files to take. By default small copies of four publishers are generated, and six
        files, one of which must be refused.
    say
        Takes what a person should read.
    wait
        Makes what is shown while something takes its time.
    """
    place = Path(folder or ("demo-data" if data else "demo")).resolve()
    say(f"[bold]1. A registry[/] in {place}")
    with wait("registering ontologies: a few seconds, once"):
        init(place)
    if data is None:
        say(f"\n[bold]2. Curation[/] of {', '.join(MIRRORS)} (small copies) and files, in {place}")
    else:
        say(f"\n[bold]2. Curation[/] of the files in {data}")
    with wait("curating: the genes of an organism are registered when it first appears"):
        outcomes = list(ingest([data]) if data is not None else _ingest_examples(place))
    say(ingest_view(outcomes))
    say(
        "\n[bold]3. A collection[/] of what was accepted; cells that are there twice are taken once"
    )
    say(collect_view(collect("demo", duplicates="drop"), dry_run=False))
    corpus = open_corpus("demo", folder=place)
    say(f"\n[bold]4. Training[/] on {corpus!r}")
    version = _train(corpus, place / "classifier.pt", say)
    say(f"\n[bold]5. The question[/]: what fed classifier@{version}?")
    say(lineage_view(lineage_of_model(f"classifier@{version}")))
    command = shutil.which("corpuscle") or Path(sys.executable).with_name("corpuscle")
    say(
        f"\nEverything lies in {place}. Try next:\n"
        f"  cd {place}\n"
        f"  {command} status\n"
        f"  {command} duplicates\n"
        f"  {command} lineage dataset {corpus.datasets[0].key}\n"
        f"  {command} ingest YOUR_FILE.h5ad && {command} collect demo"
    )


def _ingest_examples(place: Path) -> Iterator[Outcome]:
    """Ingest what four publishers offer, and files of one's own."""
    transfer = Transfer(cache=place / "cache")
    for name, folder in write_mirrors(place / "mirrors").items():
        yield from ingest_source(get_source(name)(transfer, at=str(folder)))
    write_examples(place / "files")
    yield from ingest([place / "files"])


def _train(corpus: Corpus, checkpoint: Path, say: Callable[[Any], None]) -> str:
    """Train a linear classifier of cell types for some seconds; return its version."""
    import torch

    from ._training import training_run

    field = "cell_type" if len(corpus.classes["cell_type"]) > 1 else "organism"
    loader = corpus.loader(BATCH_SIZE, labels=[field], seed=0)
    say(f"a linear model of {len(corpus.classes[field])} classes of {field}, {EPOCHS} epochs")
    torch.manual_seed(0)
    model = torch.nn.Linear(len(loader.genes), len(corpus.classes[field]))
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    with training_run("classifier", corpus, params={"lr": LEARNING_RATE, "epochs": EPOCHS}) as run:
        for epoch in range(1, EPOCHS + 1):
            loss, right, n = _epoch(loader, field, model, optimizer)
            bar = "\u2588" * round(20 * loss / len(corpus.classes[field]) ** 0.5)
            say(
                f"  epoch {epoch}  loss {loss:6.3f}  {right:6.1%} of {n:,} labelled cells right  {bar}"
            )
        torch.save(model.state_dict(), checkpoint)
        return run.save(checkpoint).version


def _epoch(
    loader: CorpusLoader, field: str, model: Any, optimizer: Any
) -> tuple[float, float, int]:
    """Go through the corpus once; return the mean loss, the share of right answers, the cells."""
    import torch

    loss_sum, n_right, n_cells = 0.0, 0, 0
    for batch in loader:
        labels: torch.Tensor = batch[field]  # type: ignore[literal-required]
        known = labels >= 0  # -1 is unknown
        if not known.any():
            continue
        counts = batch["X"].to_dense()[known]
        scores = model(torch.log1p(counts * (1e4 / counts.sum(1, keepdim=True).clamp(min=1))))
        loss = torch.nn.functional.cross_entropy(scores, labels[known])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        loss_sum += float(loss.detach()) * int(known.sum())
        n_right += int((scores.argmax(1) == labels[known]).sum())
        n_cells += int(known.sum())
    return loss_sum / max(n_cells, 1), n_right / max(n_cells, 1), n_cells
