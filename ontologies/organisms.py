"""The organisms we know, and the many ways to write their names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ..errors import NotFoundError

__all__ = ["ORGANISMS", "Organism", "get_organism"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Organism:
    """One organism."""

    taxon_id: str
    """Taxon, ``NCBITaxon:9606``: what datasets are labelled with."""

    name: str
    """Scientific name, ``Homo sapiens``."""

    common: str
    """Common name, ``human``."""

    genes: str | None = None
    """Name of its gene table, ``homo_sapiens``, or None if none is shipped."""

    gene_id_prefixes: tuple[str, ...] = ()
    """Beginnings of its stable gene ids; digits follow. Empty if none is known for certain."""

    variants: tuple[str, ...] = ()
    """Other taxon ids that mean the same for us."""

    synonyms: tuple[str, ...] = ()
    """Further names."""


def _organism(
    taxon: int,
    name: str,
    common: str,
    *prefixes: str,
    genes: str | None = None,
    variants: tuple[int, ...] = (),
    synonyms: tuple[str, ...] = (),
) -> Organism:
    return Organism(
        taxon_id=f"NCBITaxon:{taxon}",
        name=name,
        common=common,
        genes=genes,
        gene_id_prefixes=prefixes,
        variants=tuple(f"NCBITaxon:{variant}" for variant in variants),
        synonyms=synonyms,
    )


def _chromosomes(pattern: str, n: int) -> tuple[str, ...]:
    return tuple(pattern.format(number) for number in range(1, n + 1))


# Subspecies and crosses, by NCBI Taxonomy: published data may name them in place of the species.
_HOUSE_MICE = {
    10091: "Mus musculus castaneus",
    10092: "Mus musculus domesticus",
    116058: "Mus musculus brevirostris",
    1266728: "Mus musculus domesticus x M. m. molossinus",
    1385377: "Mus musculus gansuensis",
    1643390: "Mus musculus helgolandicus",
    179238: "Mus musculus homourus",
    1879032: "Mus musculus isatissus",
    3109569: "Mus musculus domesticus x Mus musculus castaneus",
    35531: "Mus musculus bactrianus",
    39442: "Mus musculus musculus",
    46456: "Mus musculus wagneri",
    477815: "Mus musculus musculus x M. m. domesticus",
    477816: "Mus musculus musculus x Mus musculus castaneus",
    57486: "Mus musculus molossinus",
    80274: "Mus musculus gentilulus",
    947985: "Mus musculus albula",
}
_CRAB_EATING_MACAQUES = {
    1215360: "Macaca fascicularis fascicularis",
    1747270: "Macaca fascicularis aureus",
    90386: "Macaca fascicularis philippinensis",
}
_RHESUS_MACAQUES = {
    1449913: "Macaca mulatta lasiotus",
    1654737: "Macaca mulatta brevicaudus",
    2008792: "Macaca mulatta vestita",
}

ORGANISMS: tuple[Organism, ...] = (
    _organism(9606, "Homo sapiens", "human", "ENSG", genes="homo_sapiens"),
    _organism(
        10090,
        "Mus musculus",
        "mouse",
        "ENSMUSG",
        genes="mus_musculus",
        variants=tuple(_HOUSE_MICE),
        synonyms=("house mouse", *_HOUSE_MICE.values()),
    ),
    _organism(
        10116,
        "Rattus norvegicus",
        "rat",
        "ENSRNOG",
        genes="rattus_norvegicus",
        synonyms=("brown rat", "Norway rat"),
    ),
    _organism(7955, "Danio rerio", "zebrafish", "ENSDARG", genes="danio_rerio"),
    _organism(
        7227,
        "Drosophila melanogaster",
        "fruit fly",
        "FBgn",
        "FBti",
        "FBtr",
        genes="drosophila_melanogaster",
        synonyms=("fly",),
    ),
    _organism(
        6239,
        "Caenorhabditis elegans",
        "roundworm",
        "WBGene",
        genes="caenorhabditis_elegans",
        synonyms=("worm", "nematode", "C. elegans"),
    ),
    _organism(
        9544,
        "Macaca mulatta",
        "rhesus macaque",
        "ENSMMUG",
        genes="macaca_mulatta",
        variants=tuple(_RHESUS_MACAQUES),
        synonyms=("rhesus monkey", "rhesus", *_RHESUS_MACAQUES.values()),
    ),
    _organism(
        9541,
        "Macaca fascicularis",
        "crab-eating macaque",
        "ENSMFAG",
        genes="macaca_fascicularis",
        variants=tuple(_CRAB_EATING_MACAQUES),
        synonyms=(
            *("cynomolgus macaque", "cynomolgus monkey", "long-tailed macaque"),
            *_CRAB_EATING_MACAQUES.values(),
        ),
    ),
    _organism(
        9483,
        "Callithrix jacchus",
        "common marmoset",
        "ENSCJAG",
        genes="callithrix_jacchus",
        synonyms=("marmoset", "white-tufted-ear marmoset"),
    ),
    _organism(9598, "Pan troglodytes", "chimpanzee", "ENSPTRG", genes="pan_troglodytes"),
    _organism(
        9595,
        "Gorilla gorilla gorilla",
        "western lowland gorilla",
        "ENSGGOG",
        genes="gorilla_gorilla",
        variants=(9593,),
        synonyms=("Gorilla gorilla", "gorilla", "western gorilla"),
    ),
    _organism(
        30608,
        "Microcebus murinus",
        "gray mouse lemur",
        "ENSMICG",
        genes="microcebus_murinus",
        synonyms=("grey mouse lemur", "mouse lemur"),
    ),
    _organism(
        9986,
        "Oryctolagus cuniculus",
        "rabbit",
        "ENSOCUG",
        genes="oryctolagus_cuniculus",
        synonyms=("European rabbit",),
    ),
    _organism(
        9823,
        "Sus scrofa",
        "pig",
        "ENSSSCG",
        genes="sus_scrofa",
        synonyms=("domestic pig", "Sus scrofa domesticus", "wild boar"),
    ),
    _organism(10181, "Heterocephalus glaber", "naked mole-rat", "ENSHGLG"),
    _organism(
        9913, "Bos taurus", "cattle", "ENSBTAG", synonyms=("cow", "domestic cow", "domestic cattle")
    ),
    _organism(9940, "Ovis aries", "sheep", "ENSOARG", synonyms=("domestic sheep",)),
    _organism(9031, "Gallus gallus", "chicken", "ENSGALG"),
    _organism(10036, "Mesocricetus auratus", "golden hamster", "ENSMAUG"),
    # Ensembl's ENSCSAG is Chlorocebus sabaeus, another species.
    _organism(
        9534, "Chlorocebus aethiops", "grivet", synonyms=("African green monkey", "green monkey")
    ),
    _organism(9796, "Equus caballus", "horse", "ENSECAG", synonyms=("domestic horse",)),
    _organism(
        13616,
        "Monodelphis domestica",
        "gray short-tailed opossum",
        "ENSMODG",
        synonyms=("grey short-tailed opossum", "opossum"),
    ),
    _organism(69293, "Gasterosteus aculeatus", "three-spined stickleback", "ENSGACG"),
    _organism(59729, "Taeniopygia guttata", "zebra finch", "ENSTGUG"),
    _organism(6183, "Schistosoma mansoni", "blood fluke", "Smp_"),
    _organism(
        3702,
        "Arabidopsis thaliana",
        "thale cress",
        *_chromosomes("AT{}G", 5),
        "ATMG",
        "ATCG",
        synonyms=("Arabidopsis", "mouse-ear cress"),
    ),
    _organism(4577, "Zea mays", "maize", "Zm00001d", "Zm00001eb", synonyms=("corn",)),
    _organism(
        39947,
        "Oryza sativa Japonica Group",
        "Japanese rice",
        *_chromosomes("Os{:02}g", 12),
        variants=(4530,),
        synonyms=("Oryza sativa", "rice", "Asian cultivated rice", "Oryza sativa japonica"),
    ),
    _organism(4081, "Solanum lycopersicum", "tomato", *_chromosomes("Solyc{:02}g", 12)),
)
"""Organisms a dataset can be of: those of CELLxGENE first, those with a gene table before others."""

GUESTS: tuple[Organism, ...] = (
    _organism(
        32630, "synthetic construct", "ERCC spike-in", "ERCC-", genes="ercc", synonyms=("ERCC",)
    ),
    _organism(
        2697049,
        "Severe acute respiratory syndrome coronavirus 2",
        "SARS-CoV-2",
        "ENSSASG",
        genes="sars_cov_2",
    ),
)
"""What may be measured beside the genes of any organism: spike-ins and a virus."""


def get_organism(text: str) -> Organism:
    """Find an organism by any of its names.

    Parameters
    ----------
    text
        Taxon id (``NCBITaxon:9606``, also those of variants), scientific name, common name or
        name of the gene table. Case, underscores and surrounding blanks do not matter.

    Returns
    -------
    The organism, always with the taxon id we label with: ``NCBITaxon:9593`` gives gorilla
    ``NCBITaxon:9595``.

    Raises
    ------
    NotFoundError
        If no organism has that name.

    Examples
    --------
    >>> get_organism("mus_musculus").taxon_id
    'NCBITaxon:10090'
    """
    found = _by_name().get(_fold(text))
    if found is None:
        known = "; ".join(f"{o.common} ({o.name}, {o.taxon_id})" for o in ORGANISMS)
        msg = (
            f"{text!r} is no organism we know. Accepted are the common names, scientific names "
            f"and taxon ids of: {known}."
        )
        raise NotFoundError(msg, {"organism": text, "known": [o.taxon_id for o in ORGANISMS]})
    return found


def names_of(organism: Organism) -> tuple[str, ...]:
    """List every accepted name of an organism, its taxon ids left out.

    Parameters
    ----------
    organism
        The organism.

    Returns
    -------
    Names, the scientific one first.
    """
    names = (organism.name, organism.common, *organism.synonyms, organism.genes or "")
    return tuple(dict.fromkeys(name for name in names if name))


def _fold(text: str) -> str:
    return " ".join(text.casefold().replace("_", " ").split())


@cache
def _by_name() -> dict[str, Organism]:
    return {
        _fold(text): organism
        for organism in ORGANISMS
        for text in (organism.taxon_id, *organism.variants, *names_of(organism))
    }
