"""The rules: which ways, in which order, and why. Made on trec6, tweet_emotion, banking77, pets."""

from __future__ import annotations

from dataclasses import dataclass

from hf_transfer_plugin.proposal_records import Facts
from hf_transfer_plugin.proposals.evidence import EVIDENCE
from hf_transfer_plugin.proposals.ways import WAYS, Way, beyond

__all__ = ["FEW_IMAGES", "FEW_SHOT", "FEW_TEXTS", "MANY_IMAGES", "READS_OUT", "Ranked", "ranked"]

#: Texts below which LoRA under LP-FT comes first: in the middle, by ratio, of 580 and 3,257 rows.
FEW_TEXTS = 1400
#: Images of a class below which the head alone comes first: in the middle of 7.9 and 15.8.
FEW_IMAGES = 11
#: Images of a class from which on all weights train: nothing above 15.8 was measured.
MANY_IMAGES = 100
#: Accuracy of a readout from frozen features that leaves little to gain.
READS_OUT = 0.95
#: Labels of a class up to which methods for few labels are named beside the plan.
FEW_SHOT = 8
_UNLIKE = "far behind where the features fit the target; a pilot finds out where they do not"


@dataclass(frozen=True)
class Ranked:
    """A way in the order of the rules.

    Attributes:
        way: schedule x adapter x objective.
        why: plain words.
        evidence: key of EVIDENCE.
    """

    way: Way
    why: str
    evidence: str


def ranked(facts: Facts) -> tuple[Ranked, ...]:
    """Return the ways for these facts, best first."""
    found = _of_domains(facts) if facts.labels != "target" else _of_one_domain(facts)
    return _with_cut(found, facts)


def _of_domains(facts: Facts) -> list[Ranked]:
    if facts.is_text:
        return _of_one_domain(facts)
    if facts.labels == "both":
        alone = "for comparison: without a term that reads the unlabelled rows"
    else:
        alone = "for comparison: the source alone"
    return [
        _named("mcc", "best of seven objectives on three pairs; no gain on digits", "images, mcc"),
        _named("mmd", "second on photos, and ahead on one pair of digits", "images, mmd"),
        _named("top block", alone, "images, source only"),
    ]


def _of_one_domain(facts: Facts) -> list[Ranked]:
    if facts.is_text:
        return _few_texts() if facts.rows < FEW_TEXTS else _many_texts()
    return _images(facts)


def _few_texts() -> list[Ranked]:
    return [
        _named(
            "lora, lp_ft",
            "on few texts a trained head and 1.5 % of the weights are level with full "
            "fine-tuning or ahead of it",
            "few texts, lora under lp_ft",
        ),
        _named("lp_ft", "level with full fine-tuning", "few texts, lp_ft"),
        _named("full", "what the others are held against", "few texts, full"),
        _named("ia3", "a seventh of a percent of the weights, a point behind", "few texts, ia3"),
        _named("head alone", "cheapest, and far behind", "few texts, head alone"),
    ]


def _many_texts() -> list[Ranked]:
    return [
        _named(
            "full",
            "with thousands of texts no way was ahead of full fine-tuning beyond its noise",
            "many texts, full",
        ),
        _named("lp_ft", "about half a point behind, within the noise", "many texts, lp_ft"),
        _named("ia3", "level on one set of three", "many texts, ia3"),
        _named("lora, lp_ft", "1 to 1.5 points behind", "many texts, lora under lp_ft"),
        _named("head alone", "cheapest, and far behind", "many texts, head alone"),
    ]


def _images(facts: Facts) -> list[Ranked]:
    if facts.ahead is not None and facts.ahead <= 0:
        return _far_images()
    if facts.readout is not None and facts.readout >= READS_OUT:
        head = _named(
            "head alone",
            f"frozen features read the classes out already ({100 * facts.readout:.0f} % right)",
            "images, head alone",
        )
        return [head, *(each for each in _kept_features() if each.way.name != "head alone")]
    if facts.per_class < FEW_IMAGES:
        return [
            _named(
                "head alone",
                "on few images of a class full fine-tuning ruins the features, and the frozen "
                "network is ahead of every objective",
                "few images, head alone",
            ),
            _named("ia3", "measured at 16 images of a class, not below", "images, ia3"),
            _named("lora, lp_ft", "measured at 16 images of a class", "images, lora under lp_ft"),
            _named("delta", "the best objective, behind the frozen network", "few images, delta"),
            _named("full", _UNLIKE, "few images, full"),
        ]
    return _kept_features() if facts.per_class < MANY_IMAGES else _many_images()


def _kept_features() -> list[Ranked]:
    return [
        _named("ia3", "ahead of the frozen network, with 2 % of the weights", "images, ia3"),
        _named("lora, lp_ft", "an adapter keeps the features, too", "images, lora under lp_ft"),
        _named("head alone", "the frozen network", "images, head alone"),
        _named("delta", "holds the features to those of the source", "images, delta"),
        _named("lp_ft", "a trained head spares the features in part", "images, lp_ft"),
        _named("full", _UNLIKE, "images, full"),
    ]


def _many_images() -> list[Ranked]:
    return [
        _named(
            "lp_ft",
            "so many images of a class were not measured; by convention all layers train, the "
            "head first",
            "more data, more layers",
        ),
        _named("lora, lp_ft", "an adapter keeps the features", "images, lora under lp_ft"),
        _named("ia3", "keeps the features, with 2 % of the weights", "images, ia3"),
        _named("full", "without a trained head first", "more data, more layers"),
        _named("head alone", "cheapest", "images, head alone"),
    ]


def _far_images() -> list[Ranked]:
    return [
        _named(
            "lp_ft",
            "the ranking puts a baseline level with the features or ahead; by convention all "
            "layers train then, the head first",
            "far target",
        ),
        _named("full", "all layers train from the first step", "far target"),
        _named("lora, lp_ft", "an adapter in place of the weights", "images, lora under lp_ft"),
        _named("head alone", "cheapest", "images, head alone"),
    ]


def _with_cut(found: list[Ranked], facts: Facts) -> tuple[Ranked, ...]:
    """Put the cut of a layer profile second, where there is one and one domain trains."""
    if not facts.beyond or facts.boundary is None or facts.labels != "target":
        return tuple(found)
    cut = Ranked(
        beyond(facts.beyond),
        f"the layer profile: layers from {facts.boundary} on belong to the source, those before "
        "them are frozen and computed once",
        "beyond the cut",
    )
    # The head alone reads what lies behind the boundary, the worst place to read.
    rest = [each for each in found[1:] if each.way.name != "head alone"]
    first = found[0] if found[0].way.name != "head alone" else None
    return tuple(each for each in (first, cut, *rest) if each is not None)


def _named(name: str, why: str, evidence: str) -> Ranked:
    assert evidence in EVIDENCE
    return Ranked(WAYS[name], why, evidence)
