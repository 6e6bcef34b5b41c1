from __future__ import annotations

import pytest

from corpuscle.errors import NotFoundError
from corpuscle.ontologies import GENE_RELEASES, ORGANISMS, get_organism

TRAINING = [9606, 10090, 10181, 3702, 4577, 6239, 7227, 7955]
TRAINING += [9031, 9483, 9544, 9598, 9823, 9913, 9940, 9986]
FURTHER = [10116, 10036, 39947, 9534, 9796, 4081, 6183, 13616, 69293, 9595, 59729]


@pytest.mark.parametrize(
    "text",
    [
        "mouse",
        "house mouse",
        "Mus musculus",
        "mus_musculus",
        "NCBITaxon:10090",
        "ncbitaxon:10090",
        " MOUSE ",
    ],
)
def test_mouse_is_known_by_all_its_names(text: str) -> None:
    assert get_organism(text).taxon_id == "NCBITaxon:10090"


@pytest.mark.parametrize(
    ("variant", "taxon"),
    [
        ("NCBITaxon:9593", "NCBITaxon:9595"),
        ("Gorilla gorilla", "NCBITaxon:9595"),
        ("NCBITaxon:4530", "NCBITaxon:39947"),
        ("Oryza sativa", "NCBITaxon:39947"),
        ("NCBITaxon:10092", "NCBITaxon:10090"),
        ("NCBITaxon:1747270", "NCBITaxon:9541"),
        ("NCBITaxon:1449913", "NCBITaxon:9544"),
    ],
)
def test_variant_leads_to_the_taxon_we_label_with(variant: str, taxon: str) -> None:
    assert get_organism(variant).taxon_id == taxon


@pytest.mark.parametrize("taxon", TRAINING + FURTHER)
def test_organism_of_the_training_sets_is_known(taxon: int) -> None:
    assert get_organism(f"NCBITaxon:{taxon}").taxon_id == f"NCBITaxon:{taxon}"


def test_fourteen_organisms_have_gene_tables() -> None:
    tables = [organism.genes for organism in ORGANISMS if organism.genes is not None]
    assert sorted(tables) == sorted(set(GENE_RELEASES) - {"ercc", "sars_cov_2"})


def test_no_name_belongs_to_two_organisms() -> None:
    names = [
        name.casefold().replace("_", " ")
        for o in ORGANISMS
        for name in {o.taxon_id, *o.variants, o.name, o.common, *o.synonyms}
    ]
    assert len(names) == len(set(names))


def test_no_gene_id_prefix_belongs_to_two_organisms() -> None:
    prefixes = [prefix for organism in ORGANISMS for prefix in organism.gene_id_prefixes]
    assert len(prefixes) == len(set(prefixes))


def test_unknown_organism_is_refused_with_the_accepted_names() -> None:
    with pytest.raises(NotFoundError, match=r"'unicorn'.*mouse \(Mus musculus, NCBITaxon:10090\)"):
        get_organism("unicorn")


def test_spike_ins_are_no_organism_of_a_dataset() -> None:
    with pytest.raises(NotFoundError):
        get_organism("NCBITaxon:32630")
