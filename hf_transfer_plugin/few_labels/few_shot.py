"""Learning curves over the number of labels: draws, methods, verdicts, and the model to keep."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np

from hf_transfer_plugin.adapt.few_shot.draws import draw_rows
from hf_transfer_plugin.checkpoints import Checkpoint, known_license
from hf_transfer_plugin.data import TargetData, load_data
from hf_transfer_plugin.decide.verdict import judge
from hf_transfer_plugin.environment import environment
from hf_transfer_plugin.errors import LaunchError
from hf_transfer_plugin.few_labels.configs import FewShotConfig, check_few_shot
from hf_transfer_plugin.few_labels.keeping import keep
from hf_transfer_plugin.few_labels.learner import Learner
from hf_transfer_plugin.few_shot_records import (
    METHODS,
    FewShotMethod,
    FewShotResult,
    FewShotScore,
    FewShotVerdict,
)
from hf_transfer_plugin.metrics import classification_metrics
from hf_transfer_plugin.processes import world_size
from hf_transfer_plugin.records import Plan, RunResult, SeedResult
from hf_transfer_plugin.report.few_shot_card import few_shot_files
from hf_transfer_plugin.serialization import write_atomic

__all__ = ["few_shot"]

_log = logging.getLogger(__name__)
_FOLDS = 4


def few_shot(config: FewShotConfig, *, command: str = "") -> FewShotResult:
    """Measure every method at every number of labels, judge them, and keep the best model.

    Writes few_shot.json, few_shot.png, model/ and one file for each measurement into the run
    folder; a run that stopped goes on where it was. Test rows score; they choose nothing: the
    method of the model that is kept is chosen by cross-validation on the rows it learns from.

    Args:
        config: what to measure.
        command: that repeats the run; it goes into record and card. Without one it names the
            config that the run folder holds.

    Raises:
        TransferError: for data, checkpoints and values that do not fit.
    """
    check_few_shot(config)
    _require_one_process()
    folder = Path(config.run_folder).expanduser()
    learner = _learner(config)
    config.save(folder / config.file_name)
    data, methods = learner.data, _in_order(config.methods)
    scores = _scores(learner, config, folder / "few_shot")
    chosen, held_out = _choose(learner, config)
    result = FewShotResult(
        task=config.task,
        checkpoint=config.checkpoint,
        spec=config.data,
        data=data.summary,
        labels=data.labels("test"),
        metric=config.metric,
        shots=tuple(sorted(config.shots)),
        draws=config.draws,
        methods=methods,
        scores=scores,
        verdicts=_verdicts(config, scores, data),
        kept=chosen,
        held_out=held_out,
        environment=environment(),
        command=command or shlex.join(["hf-tl", "few-shot", str(folder / config.file_name)]),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        licenses=known_license(config.checkpoint),
    )
    card = few_shot_files(result)
    keep(learner, result, card, folder / "model")
    write_atomic(folder / "few_shot.png", card["plots/few_shot.png"])
    result.save(folder / result.file_name)
    return result


def _learner(config: FewShotConfig) -> Learner:
    data = load_data(config.data, config.task)
    for draw in range(config.draws):  # says at once what cannot be drawn
        draw_rows(data.labels("train"), max(config.shots), draw, data.class_names)
    checkpoint = Checkpoint(
        config.checkpoint, revision=config.revision, trust_remote_code=config.trust_remote_code
    )
    return Learner(checkpoint, data, config.contrastive)


def _scores(learner: Learner, config: FewShotConfig, folder: Path) -> tuple[FewShotScore, ...]:
    """Measure what the folder lacks; return all, by shots, method and draw."""
    request = _digest(config, learner.data.summary.fingerprint)
    scores = []
    # Many shots first: features of the fewer ones are among theirs.
    for shots in sorted(config.shots, reverse=True):
        for draw in range(config.draws):
            for method in _in_order(config.methods):
                path = folder / f"{method}-{shots}-{draw}.json"
                score = _stored(path, request)
                if score is None:
                    score = replace(_measure(learner, method, shots, draw), request=request)
                    score.save(path)
                    _log.info(
                        "%s, labels a class: %s, draw %s: test %s %.3f, %.1f s",
                        method, shots, draw, config.metric, score.test[config.metric],
                        score.seconds,
                    )  # fmt: skip
                scores.append(score)
    return tuple(sorted(scores, key=lambda s: (s.shots, METHODS.index(s.method), s.draw)))


def _require_one_process() -> None:
    if world_size() > 1:
        raise LaunchError(
            arrived=f"{world_size()} processes",
            expected="one: a few labels are too little work to share",
            action="start the command without a launcher",
        )


def _in_order(methods: Sequence[FewShotMethod]) -> tuple[FewShotMethod, ...]:
    return tuple(method for method in METHODS if method in methods)


def _digest(config: FewShotConfig, fingerprint: str) -> str:
    """Return a hash of what a measurement depends on; which others are made does not matter."""
    asked = config.to_json()
    for key in ("run_folder", "shots", "draws", "methods", "metric", "margin", "confidence"):
        del asked[key]
    text = json.dumps([asked, fingerprint], sort_keys=True)
    return sha256(text.encode()).hexdigest()[:16]


def _stored(path: Path, request: str) -> FewShotScore | None:
    found = FewShotScore.load_usable(path)
    return found if found is not None and found.request == request else None


def _measure(learner: Learner, method: FewShotMethod, shots: int, draw: int) -> FewShotScore:
    fitted = learner.fit(method, learner.draw(shots, draw), draw)
    predictions = learner.predict_test(fitted)
    return FewShotScore(
        method=method,
        shots=shots,
        draw=draw,
        test=classification_metrics(learner.data.labels("test"), predictions),
        predictions=tuple(predictions.tolist()),
        seconds=fitted.seconds,
        steps=fitted.steps,
    )


def _choose(learner: Learner, config: FewShotConfig) -> tuple[FewShotMethod, dict[str, float]]:
    """Choose by cross-validation on draw 0 of the most labels; of equals the cheaper method."""
    from sklearn.model_selection import StratifiedKFold

    methods = _in_order(config.methods)
    shots = max(config.shots)
    if len(methods) == 1 or shots == 1:
        return methods[0], {}
    numbers = np.asarray(learner.draw(shots, 0))
    labels = learner.labels[numbers]
    folds = StratifiedKFold(min(shots, _FOLDS), shuffle=True, random_state=0)
    right = dict.fromkeys(methods, 0)
    for seen, held in folds.split(numbers, labels):
        for method in methods:
            fitted = learner.fit(method, numbers[seen].tolist(), 0)
            answers = learner.predict(fitted, numbers[held].tolist())
            right[method] += int((answers == labels[held]).sum())
    best = max(methods, key=right.__getitem__)
    return best, {method: right[method] / len(numbers) for method in methods}


def _verdicts(
    config: FewShotConfig, scores: Sequence[FewShotScore], data: TargetData
) -> tuple[FewShotVerdict, ...]:
    """Judge every method against the probe, or against the cheapest one when there is none."""
    methods = _in_order(config.methods)
    baseline = "probe" if "probe" in methods else methods[0]

    def result(method: FewShotMethod, shots: int) -> RunResult:
        plan = Plan(
            name=method,
            task=config.task,
            checkpoint=config.checkpoint,
            data=config.data,
            seeds=tuple(range(config.draws)),
            metric=config.metric,
        )
        seeds = tuple(
            SeedResult(s.draw, 0.0, s.steps, s.test, {}, (), s.predictions, (), s.seconds)
            for s in scores
            if (s.method, s.shots) == (method, shots)
        )
        return RunResult(plan, data.class_names, data.labels("test"), seeds)

    return tuple(
        FewShotVerdict(
            shots,
            method,
            judge(
                result(method, shots),
                result(baseline, shots),
                margin=config.margin,
                confidence=config.confidence,
            ),
        )
        for shots in sorted(config.shots)
        for method in methods
        if method != baseline
    )
