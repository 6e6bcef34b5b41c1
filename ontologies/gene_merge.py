"""What an added gene table keeps of the table before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .gene_form import FLAGS, MAX_ANNOTATIONS, finish_table

if TYPE_CHECKING:
    import pandas as pd

    from .gene_form import GeneFile

__all__ = ["carry_over"]


def carry_over(new: pd.DataFrame, old: GeneFile, release: str) -> tuple[pd.DataFrame, list[str]]:
    """Keep what an earlier table knew: retired genes, names before, flags that are missing now.

    Parameters
    ----------
    new
        Genes of the new release, as `read_genes` gives them.
    old
        The table before.
    release
        The new release.

    Returns
    -------
    The rows with the retired genes, and the names of all annotations, oldest first.
    """
    import pandas as pd

    annotations = [name for name in old.annotations if name != release][1 - MAX_ANNOTATIONS :]
    bits = {old.annotations.index(name): place for place, name in enumerate(annotations)}
    own = 1 << len(annotations)
    before = old.frame().set_index("gene_id")
    rows = new.set_index("gene_id")
    gone = before.loc[before.index.difference(rows.index)].assign(status="retired")
    rows = pd.concat([rows.astype(object), gone.astype(object)])
    for name in ("par_copy_of", *FLAGS):  # what a plain file does not tell of the same gene
        rows[name] = rows[name].where(rows[name].notna(), before[name].reindex(rows.index))
    known: dict[Any, Any] = before.to_dict("index")
    merged: dict[str, list[Any]] = {
        name: [] for name in ("symbol_in", "previous_symbols", "previous_in", "aliases")
    }
    for gene, row in rows.to_dict("index").items():
        masks = dict.fromkeys(row["previous_symbols"], 0)
        was = known.get(gene)
        if was is not None:
            old_names = zip(was["previous_symbols"], was["previous_in"], strict=True)
            for name, mask in (*old_names, (was["symbol"], was["symbol_in"])):
                if isinstance(name, str):
                    masks[name] = masks.get(name, 0) | _moved(int(mask), bits)
        if row["status"] == "current" and isinstance(row["symbol"], str):
            masks[row["symbol"]] = masks.get(row["symbol"], 0) | own
        merged["symbol_in"].append(masks.pop(row["symbol"], 0))
        names = sorted(masks)
        merged["previous_symbols"].append(tuple(names))
        merged["previous_in"].append(tuple(masks[name] for name in names))
        aliases = {*row["aliases"], *(was["aliases"] if was else ())} - {row["symbol"], *names}
        merged["aliases"].append(tuple(sorted(aliases)))
    rows = rows.assign(**merged).reset_index(names="gene_id")
    return finish_table(rows), [*annotations, release]


def _moved(mask: int, bits: dict[int, int]) -> int:
    return sum(1 << place for bit, place in bits.items() if mask >> bit & 1)
