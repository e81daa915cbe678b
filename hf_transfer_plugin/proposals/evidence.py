"""What this project has measured of ways to transfer, each figure with the table that holds it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EVIDENCE", "Evidence"]

_RESULTS = "recipes/benchmarks/results"


@dataclass(frozen=True)
class Evidence:
    """A measured figure, or a convention of the field.

    Attributes:
        figure: as the source has it: points against full fine-tuning with a 95 % interval, or
            test accuracy with its deviation or interval over seeds; "" for a convention.
        source: a committed table or page, or paper and year.
    """

    figure: str
    source: str


def _table(name: str, figure: str) -> Evidence:
    return Evidence(figure, f"{_RESULTS}/{name}.md")


#: Name -> figure. A test holds every figure to its source.
EVIDENCE: dict[str, Evidence] = {
    "few texts, lora under lp_ft": _table(
        "adapters_few_rows",
        "trec6 (580 rows) +0.3 [-1.2, +1.8], tweet_emotion (391 rows) +1.7 [+1.2, +2.2]",
    ),
    "few texts, lp_ft": _table("adapters_few_rows", "trec6 (580 rows) +0.2 [-1.3, +1.7]"),
    "few texts, full": _table(
        "adapters_few_rows", "trec6 (580 rows) 91.6 ± 1.2, tweet_emotion (391 rows) 71.9 ± 0.6"
    ),
    "few texts, ia3": _table("adapters_few_rows", "trec6 (580 rows) -1.0 [-2.4, +0.4]"),
    "few texts, head alone": _table("adapters_few_rows", "trec6 (580 rows) -46.3 [-47.8, -44.7]"),
    "many texts, full": _table(
        "adapters", "trec6 (4,831 rows) 97.0 ± 0.5, tweet_emotion (3,257 rows) 81.8 ± 0.1"
    ),
    "many texts, lp_ft": _table(
        "adapters", "trec6 -0.6 [-1.5, +0.3], tweet_emotion -0.5 [-1.1, +0.1]"
    ),
    "many texts, ia3": _table(
        "adapters",
        "banking77 +0.2 [-0.1, +0.6], trec6 -0.8 [-1.6, +0.1], tweet_emotion -2.7 [-3.1, -2.3]",
    ),
    "many texts, lora under lp_ft": _table(
        "adapters",
        "trec6 -1.0 [-1.3, -0.6], tweet_emotion -0.9 [-1.3, -0.6], banking77 -1.5 [-1.8, -1.2]",
    ),
    "many texts, head alone": _table(
        "adapters", "trec6 -24.2 [-25.8, -22.5], tweet_emotion -12.9 [-13.5, -12.4]"
    ),
    "few images, head alone": _table(
        "objectives",
        "pets, 88 to 292 rows of 37 classes: +30.4 [+28.8, +32.0], +28.0 [+26.0, +30.1], "
        "+21.8 [+20.7, +22.9]",
    ),
    "few images, delta": _table(
        "objectives",
        "pets, 88 to 292 rows of 37 classes: +24.4 [+22.0, +26.7], +23.2 [+21.8, +24.5], "
        "+20.4 [+19.0, +21.7]",
    ),
    "few images, full": _table(
        "objectives", "pets, 88 to 292 rows of 37 classes: 30.4 ± 1.5, 45.6 ± 1.2, 53.0 ± 1.1"
    ),
    "images, ia3": _table("adapters", "pets, 585 rows of 37 classes: +14.7 [+13.1, +16.3]"),
    "images, lora under lp_ft": _table(
        "adapters", "pets, 585 rows of 37 classes: +13.9 [+13.4, +14.5]"
    ),
    "images, head alone": _table("adapters", "pets, 585 rows of 37 classes: +13.0 [+11.9, +14.0]"),
    "images, delta": _table("objectives", "pets, 585 rows of 37 classes: +11.3 [+9.7, +12.8]"),
    "images, lp_ft": _table("adapters", "pets, 585 rows of 37 classes: +7.9 [+7.3, +8.5]"),
    "images, full": _table("adapters", "pets, 585 rows of 37 classes: 64.8 ± 0.4"),
    "images, mcc": _table(
        "domains",
        "photo to art, cartoons, sketches: +14.4 [+12.2, +16.7], +42.3 [+32.5, +52.1], "
        "+10.0 [+0.4, +19.6] over the source alone; mnist to usps -0.4 [-5.9, +5.1]",
    ),
    "images, mmd": _table(
        "domains",
        "photo to art, cartoons, sketches: +11.9 [+7.7, +16.0], +27.7 [+23.4, +32.1], "
        "+0.9 [-7.0, +8.8] over the source alone; usps to mnist +6.1 [-2.4, +14.6]",
    ),
    "images, source only": _table("domains", "photo to art 58.8 ± 1.9, to cartoons 24.3 ± 3.7"),
    "texts, objectives": _table(
        "objectives",
        "trec6, 725 rows, the best three: R-Drop +0.7 [-0.2, +1.6], L2-SP +0.6 [-0.3, +1.5], "
        "DELTA +0.5 [-0.8, +1.9]",
    ),
    "texts, mcc": _table(
        "domains", "twelve pairs of reviews, 5 seeds: MCC +0.5 [-0.6, +1.6] over the source alone"
    ),
    "images, objectives": _table(
        "objectives",
        "pets, 88 rows: DELTA +24.4 [+22.0, +26.7], the head alone +30.4 [+28.8, +32.0]",
    ),
    "averages": Evidence(
        "docstrings: EMA .468 +- .012 against .467 +- .010, soup .469 +- .007", "docs/weights.md"
    ),
    "few-shot": _table(
        "few_shot", "cr, 8 labels a class: contrastive 0.736 ± 0.072, probe 0.664 ± 0.067"
    ),
    "beyond the cut": Evidence(
        "trec6, 300 rows: top:2 0.901 (0.891 to 0.912), everything 0.906 (0.886 to 0.927), pooler "
        "and head 0.449 (0.442 to 0.456)",
        "recipes/case_studies/results/trec6_cuts.md",
    ),
    "more data, more layers": Evidence(
        "", "Kornblith et al., Do Better ImageNet Models Transfer Better? (2019)"
    ),
    "head first": Evidence("", "LP-FT, Kumar et al. (2022)"),
    "far target": Evidence("", "Yosinski et al., How transferable are features? (2014)"),
}
