"""A realistic report: five seeds, transfer and three controls, curves for those that train."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hf_transfer_plugin.decide.verdict import judge
from hf_transfer_plugin.records import (
    Candidate,
    CurvePoint,
    DataSpec,
    DataSummary,
    Drift,
    Phase,
    Plan,
    Ranking,
    Report,
    RunCost,
    RunResult,
    SeedResult,
    ShownExample,
    Transition,
    Verdict,
)
from tests.report import proposals

CLASSES = ("entity", "description", "abbreviation", "human", "location", "number")
SEEDS = (0, 1, 2, 3, 4)
TEST_EXAMPLES = 300
SCHEDULE = (
    Phase(train=("head",), until_fraction=0.3, name="probe"),
    Phase(train=("top:2",), until_fraction=0.6, rate=0.5, name="top layers"),
    Phase(train=("*",), rate=0.1, name="everything"),
)
GROUPS = ("embeddings", *(f"layer.{index}" for index in range(6)), "neck", "head")
TRANSITIONS = (
    Transition(0, 0, {"head": 1.0}),
    Transition(72, 1, dict.fromkeys(GROUPS[5:], 0.5)),
    Transition(144, 2, dict.fromkeys(GROUPS, 0.1)),
)
DRIFT = Drift({name: 0.01 * index for index, name in enumerate(GROUPS[:-1])}, 0.045, 0.87, 96)


def labels(classes: int = len(CLASSES)) -> tuple[int, ...]:
    return tuple(int(i) for i in np.random.default_rng(7).integers(0, classes, TEST_EXAMPLES))


def curve(start: float, end: float, epochs: int, shift: float) -> tuple[CurvePoint, ...]:
    points = []
    for epoch in range(1, epochs + 1):
        value = end - (end - start) * 0.5 ** (epoch - 1) + shift
        points.append(CurvePoint(40 * epoch, float(epoch), 2 * (1 - value), 1 - value, value))
    return tuple(points)


def seed_result(
    seed: int, quality: float, truth: tuple[int, ...], classes: int, trained: bool
) -> SeedResult:
    rng = np.random.default_rng([seed, int(1000 * quality)])
    # Some examples are hard for every seed, as in life.
    hard = np.random.default_rng(int(1000 * quality)).random(len(truth)) * 0.8
    hard = hard + 0.2 * rng.random(len(truth))
    wrong = hard > np.quantile(hard, quality + 0.006 * (seed - 2))
    predicted = np.where(wrong, (np.asarray(truth) + 1) % classes, truth)
    accuracy = float(np.mean(predicted == truth))
    return SeedResult(
        seed=seed,
        learning_rate=5e-5 if trained else 0.0,
        steps=240 if trained else 0,
        test={"accuracy": accuracy, "macro_f1": accuracy - 0.01},
        validation={"accuracy": accuracy + 0.01 * (seed - 2), "macro_f1": accuracy},
        curve=curve(0.4 * quality, quality, 6, 0.01 * (seed - 2)) if trained else (),
        predictions=tuple(int(i) for i in predicted),
        confidences=tuple(0.9 for _ in truth),
        wall_seconds=30.0 + seed if trained else 0.4,
        cost=RunCost(240, 80, threads=2, peak_memory=1_500_000_000) if trained else None,
    )


def result(
    name: str,
    checkpoint: str,
    quality: float,
    *,
    classes: tuple[str, ...] = CLASSES,
    trained: bool = True,
    data: str = "sample:docstrings",
) -> RunResult:
    truth = labels(len(classes))
    plan = Plan(
        name=name,
        task="text-classification",
        checkpoint=checkpoint,
        data=DataSpec(path=data),
        weights="random" if name == "from-scratch" else "pretrained",
        schedule=SCHEDULE if trained else (Phase(train=("*",)),),
        training={"num_train_epochs": 6, "learning_rate": 5e-5} if trained else {},
    )
    seeds = tuple(seed_result(seed, quality, truth, len(classes), trained) for seed in SEEDS)
    return RunResult(
        plan=plan,
        class_names=classes,
        labels=truth,
        seeds=seeds,
        trainable_parameters=22_700_000 if trained else 0,
        parameters=22_700_000 if trained else 0,
        best_seed=3,
        groups=GROUPS if trained else (),
        transitions=TRANSITIONS if trained else (),
        drift=DRIFT if name == "transfer" else None,
    )


def verdict_of(transfer: RunResult, control: RunResult, outcome: str | None = None) -> Verdict:
    pairs = list(zip(transfer.scores(), control.scores(), strict=True))
    difference = float(np.mean([a - b for a, b in pairs]))
    lower, upper = difference - 0.03, difference + 0.03
    found = "helped" if lower > 0 else "harmed" if upper < 0 else "inconclusive"
    return Verdict(
        outcome=outcome or found,  # type: ignore[arg-type]
        go=lower > -0.01,
        difference=difference,
        lower=lower,
        upper=upper,
        margin=0.01,
        confidence=0.95,
        seeds=len(SEEDS),
        baseline=control.plan.name,
        transfer_mean=float(np.mean(transfer.scores())),
        control_mean=float(np.mean(control.scores())),
        seed_interval=(lower, upper),
        item_interval=(lower + 0.005, upper - 0.005),
    )


def ranking() -> Ranking:
    def row(checkpoint: str, kind: str, score: float, parameters: int = 0) -> Candidate:
        scores = {"linear_probe_accuracy": score, "logme": score - 1}
        return Candidate(checkpoint, kind, scores, parameters, 384, 3.2)  # type: ignore[arg-type]

    return Ranking(
        task="text-classification",
        data="sample:docstrings",
        score="linear_probe_accuracy",
        examples=1000,
        candidates=(
            row("sample:minilm", "pretrained", 0.871, 22_700_000),
            row(
                "an-organisation/a-quite-long-checkpoint-name-uncased-large",
                "pretrained",
                0.842,
                335_000_000,
            ),
            row("distilbert-base-uncased", "pretrained", 0.815, 66_400_000),
            Candidate("org/gone", "pretrained", error="404: repository not found on the Hub"),
        ),
        baselines=(
            row("sample:minilm", "random", 0.412, 22_700_000),
            row("tfidf-logistic", "baseline", 0.787),
            row("majority", "baseline", 0.2),
        ),
        findings=("The first two cannot be told apart with 1000 examples.",),
    )


def report(
    transfer_quality: float = 0.90,
    scratch_quality: float = 0.72,
    classes: tuple[str, ...] = CLASSES,
    checkpoint: str = "sample:minilm",
    data: str = "sample:docstrings",
) -> Report:
    transfer = result("transfer", checkpoint, transfer_quality, classes=classes, data=data)
    scratch = result("from-scratch", checkpoint, scratch_quality, classes=classes, data=data)
    linear = result(
        "tfidf-logistic", "baseline:tfidf-logistic", 0.80, classes=classes, trained=False, data=data
    )
    majority = result(
        "majority", "baseline:majority", 0.2, classes=classes, trained=False, data=data
    )
    judged = judge(transfer, scratch)
    verdict = replace(
        verdict_of(transfer, scratch),
        classes=judged.classes,
        hidden=judged.hidden,
        others=(verdict_of(transfer, linear), verdict_of(transfer, majority)),
    )
    count = tuple(100 + index for index in range(len(classes)))
    return Report(
        title="Questions by answer type",
        task="text-classification",
        data=DataSummary(
            data,
            "f00d",
            classes,
            {
                "train": count,
                "validation": count,
                "test": tuple(int(n) for n in np.bincount(transfer.labels, minlength=len(classes))),
            },
            ("12 duplicates were found in train and test.",),
        ),
        ranking=ranking(),
        explanation="phase 1  probe       head        1,542 weights   0.0%\n"
        "phase 2  top layers  top:2       3.5 M weights  15.6%\n",
        results=(transfer, scratch, linear, majority),
        verdict=verdict,
        environment={"python": "3.11.2", "torch": "2.9.0", "device": "cpu, 2 cores"},
        command="hf-tl run --data sample:docstrings --checkpoint sample:minilm --seeds 5",
        created="2025-11-30T12:00:00Z",
        licenses={"checkpoint": "apache-2.0", "data": "cc-by-4.0"},
        examples=shown(judged, "What is the population of the largest island of Asia?"),
    )


def shown(judged: Verdict, text: str) -> tuple[ShownExample, ...]:
    assert judged.hidden is not None
    return tuple(ShownExample(number, text) for number in judged.hidden.lost_examples[:10])


TOKEN = "hf_" + "A1b2C3d4E5" * 3
SCRIPT = "<script>alert(1)</script>"
HOSTILE_CLASSES = (
    SCRIPT,
    "a|b",
    "`code` [link](https://evil.example)",
    "日本",
    "$\\frac$",
    "two\nlines: {x}",
)
HOSTILE_CHECKPOINT = "/home/someone/my models/we\"ird'`name`|x\n# <img src=x>"


def hostile() -> Report:
    """Names, texts and secrets that must not leave their place."""
    made = report(0.70, 0.86, HOSTILE_CLASSES, HOSTILE_CHECKPOINT, "/home/someone/private data")
    return replace(
        made,
        title=f"Title: {SCRIPT} # {{{{ 7*7 }}}} \n---\n- x: [y",
        explanation=f"</pre>{SCRIPT}",
        environment={"python": "/home/someone/.venv/bin/python", "HF_TOKEN": TOKEN},
        command=f"HF_TOKEN={TOKEN} hf-tl run --data '/home/someone/private data' ```\n# {SCRIPT}",
        licenses={},
        examples=shown(made.verdict, f"{SCRIPT} ![x](https://evil.example/x.png) {'long' * 60}"),
        proposal=proposals.hostile(SCRIPT, "/home/someone/private data", TOKEN),
    )


def without_intervals() -> Report:
    """One seed, one control, no interval, nothing ranked, one phase."""
    made = report()
    one = tuple(replace(each, seeds=each.seeds[:1], best_seed=0) for each in made.results[:2])
    plan = replace(one[0].plan, schedule=(Phase(train=("*",)),))
    verdict = replace(
        made.verdict,
        outcome="inconclusive",
        go=False,
        lower=float("nan"),
        upper=float("nan"),
        seeds=1,
        others=(),
        seed_interval=None,
        item_interval=None,
        classes=(),
        hidden=None,
    )
    return replace(
        made,
        results=(replace(one[0], plan=plan), *one[1:]),
        verdict=verdict,
        ranking=replace(made.ranking, candidates=(), baselines=(), findings=()),
        examples=(),
    )
