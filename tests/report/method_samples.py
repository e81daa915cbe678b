"""Records of few labels and of several tasks, with figures made up for tests of words."""

from __future__ import annotations

from hf_transfer_plugin.few_shot_records import (
    FewShotMethod,
    FewShotResult,
    FewShotScore,
    FewShotVerdict,
)
from hf_transfer_plugin.multitask_records import KeptTasks, MultitaskReport
from hf_transfer_plugin.records import DataSpec, DataSummary, Verdict

__all__ = ["few_shot_result", "multitask_report"]

_CREATED = "2026-01-01T00:00:00+00:00"
_ENVIRONMENT = {"python": "3.11"}


def few_shot_result(
    methods: tuple[FewShotMethod, ...],
    checkpoint: str = "org/$x_{2}$",
    *,
    classes: tuple[str, ...] = ("a", "b"),
    path: str = "org/data",
    command: str = "hf-tl few-shot few.yaml",
) -> FewShotResult:
    """Return two draws of 1 and 8 labels a class; the last method is kept."""
    scores = tuple(
        FewShotScore(method, shots, draw, {"accuracy": 0.4 + 0.1 * place + 0.02 * draw}, (), 1.0)
        for place, method in enumerate(methods)
        for shots in (1, 8)
        for draw in (0, 1)
    )
    verdicts = tuple(
        FewShotVerdict(shots, method, _verdict("probe", 0.1))
        for shots in (1, 8)
        for method in methods
        if "probe" in methods and method != "probe"
    )
    return FewShotResult(
        task="text-classification",
        checkpoint=checkpoint,
        spec=DataSpec(path),
        data=_summary(path, classes),
        labels=(0, 1) * 50,
        metric="accuracy",
        shots=(1, 8),
        draws=2,
        methods=methods,
        scores=scores,
        verdicts=verdicts,
        kept=methods[-1],
        held_out={method: 0.5 for method in methods} if len(methods) > 1 else {},
        environment=_ENVIRONMENT,
        command=command,
        created=_CREATED,
        licenses={"checkpoint": "mit"},
    )


def multitask_report(
    tasks: tuple[str, str] = ("mood", "topic"),
    *,
    title: str = "Two tasks",
    checkpoint: str = "sample:minilm",
    path: str = "org/data",
    command: str = "hf-tl multitask tasks.yaml",
) -> MultitaskReport:
    """Return one way that helped the first task and harmed the second."""
    helped, harmed = tasks
    return MultitaskReport(
        title=title,
        task="text-classification",
        checkpoint=checkpoint,
        specs={name: DataSpec(path) for name in tasks},
        data={name: _summary(path, ("a", "b")) for name in tasks},
        verdicts={"size": {helped: _verdict("single", 0.1), harmed: _verdict("single", -0.1)}},
        harmed={"size": (harmed,)},
        conflicts={},
        kept={"size": KeptTasks(3, {name: {"accuracy": 0.625} for name in tasks})},
        environment=_ENVIRONMENT,
        command=command,
        created=_CREATED,
        licenses={"checkpoint": "apache-2.0"},
    )


def _verdict(baseline: str, difference: float) -> Verdict:
    return Verdict(
        outcome="helped" if difference > 0 else "harmed",
        go=difference > 0,
        difference=difference,
        lower=difference - 0.05,
        upper=difference + 0.05,
        margin=0.01,
        confidence=0.95,
        seeds=2,
        baseline=baseline,
        transfer_mean=0.6 + difference,
        control_mean=0.6,
    )


def _summary(path: str, classes: tuple[str, ...]) -> DataSummary:
    counts = {split: (20,) * len(classes) for split in ("train", "validation", "test")}
    return DataSummary(path, "f" * 16, classes, counts)
