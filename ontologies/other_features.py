"""Features of a count matrix that are no genes of an organism."""

from __future__ import annotations

__all__ = ["OTHER_FEATURES"]

# Reporters, recombinases, drivers and selection markers, as people call them in a reference. A
# text of this list that is the symbol of a gene is that gene: symbols are looked at first.
_TRANSGENES = (
    r"(?:e|t|sf|d2|d2e|zs|mwasabi|kaede|h2b[-_:]?|nls[-_:]?)?(?:gfp|yfp|cfp|bfp|rfp)(?:2|[-_]?nls)?"
    r"|(?:td|m)[-_]?tomato|mcherry|mscarlet|m?kate2?|m?venus|m?citrine|m?cerulean|mturquoise2?"
    r"|m?orange2?|dsred2?|zsgreen1?|mneongreen|mclover3?|mruby[23]?|mplum|ametrine|dendra2?|kikgr"
    r"|i?cre(?:[-_]?er(?:t2?|\(t2?\))?)?|cre[-_]?recombinase|dre|flpo?e?|phic31o?"
    r"|(?:r|t)ta(?:[23]|m2)?|rtta[-_]?m2|gal4(?:[-_]?vp16)?|gal80|lexa(?:[-_]?vp16)?|uas"
    r"|lacz|beta[-_]?gal|luc2?p?|luciferase|fluc|rluc|nluc|gluc"
    r"|(?:d|s[pa])?cas(?:9|12a|13[a-d]?)(?:[-_]?krab|[-_]?vp64)?"
    r"|neor?|puror?|hygror?|bsdr?|blastr?|zeor?|ampr|kanr"
    r"|wpre3?|ires2?|p2a|t2a|bgh[-_]?poly\(?a\)?|sv40(?:[-_]?poly\(?a\)?)?"
    r"|chr2|chrimsonr?|arch(?:t|3)|gcamp(?:[3-8][a-z]*)?|jrgeco1a"
)
# Ends and beginnings that BioLegend, Cell Ranger and CITE-seq-Count give antibodies and hashtags.
_ANTIBODIES = (
    r".+[-_.](?:total(?:seq)?[-_]?[abcd]\d*|adt|hto)|(?:adt|hto|ab|prot|citeseq)[-_:.].+"
    r"|(?:anti[-_ ])?(?:human |mouse )?hash[-_ ]?tag[-_ ]?(?:oligo)?[-_ ]?\d+(?:[-_].*)?|hto[-_]?\d+"
)
_PEAKS = r"(?:grch3[78]_|mm10_|hg(?:19|38)_)?chr(?:\d{1,2}[lr]?|[xyzwm]|mt)[:_-]\d+[-_]\d+"

OTHER_FEATURES = (
    ("transgene", f"(?i:{_TRANSGENES})"),
    ("antibody", f"(?i:{_ANTIBODIES})"),
    ("peak", f"(?i:{_PEAKS})"),
)
"""Method and kind of a feature, and the pattern of its text."""
