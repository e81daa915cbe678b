"""The parts of the benchmark, each of which measures what the results file lacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from hf_transfer_plugin.checkpoints import Checkpoint
from ranking_comparison.candidates import candidate_folder, made
from ranking_comparison.lines import Lines
from ranking_comparison.others import ESTIMATORS, rank_elsewhere
from ranking_comparison.plan import FEATURE_SCORES, ORDERING, TARGETS, Tuning, counted
from ranking_comparison.ranked import features_of, last_layer_of, order_of, rank, scores_of
from ranking_comparison.settings import Settings
from ranking_comparison.targets import read_target
from ranking_comparison.training import tune

__all__ = ["make_candidates", "measure_others", "measure_rankings", "measure_scores", "tune_all"]

Say = Callable[[str], None]


def make_candidates(names: Sequence[str], settings: Settings, say: Say) -> None:
    """Make the candidates that are missing."""
    for name in names:
        began = time.perf_counter()
        if made(name, settings):
            say(f"made {name}: {time.perf_counter() - began:.0f} s")


def tune_all(planned: Sequence[Tuning], lines: Lines, settings: Settings, say: Say) -> None:
    """Fine-tune every pair, and say what is left after each."""
    for position, tuning in enumerate(planned):
        if tuning.key in lines:
            continue
        data = read_target(tuning.target, settings)
        checkpoint = Checkpoint(str(candidate_folder(tuning.candidate, settings)))
        rate = settings.rates[TARGETS[tuning.target].kind]
        result = tune(checkpoint, data, tuning.seed, settings.epochs, rate)
        lines.add(tuning.key, result)
        left = _estimated(planned[position + 1 :], lines)
        say(
            f"{position + 1}/{len(planned)} {tuning.target}, {tuning.candidate}, seed "
            f"{tuning.seed}: {result['accuracy']:.3f}, {result['seconds']:.0f} s; "
            f"left about {left / 60:.0f} minutes"
        )


def measure_scores(
    targets: Sequence[str],
    candidates: Sequence[str],
    lines: Lines,
    settings: Settings,
    say: Say,
    *,
    sets: Sequence[str] = FEATURE_SCORES,
) -> None:
    """Compute all scores of the candidates of every target, and the confidence set of some."""
    for target in targets:
        names = _folders(target, candidates, settings)
        own = ORDERING[TARGETS[target].kind]
        keys: list[tuple[str, ...]] = [("scores", target), ("last", target, own)]
        keys += [("set", target, score) for score in sets]
        missing = [key for key in keys if not _known(key, names, lines)]
        if len(names) < 2 or not missing:
            continue
        data = read_target(target, settings)
        features = features_of(names, data)
        for key in missing:
            if key[0] == "scores":
                result = scores_of(features, data)
            elif key[0] == "last":
                result = last_layer_of(own, features, data)
            else:
                result = order_of(key[2], features, data)
            _add(key, result, lines, say)


def measure_rankings(
    targets: Sequence[str], candidates: Sequence[str], lines: Lines, settings: Settings, say: Say
) -> None:
    """Rank the candidates of every target as a user would."""
    for target in targets:
        names, key = _folders(target, candidates, settings), ("ranking", target)
        if len(names) > 1 and not _known(key, names, lines):
            own = ORDERING[TARGETS[target].kind]
            result = rank(names, read_target(target, settings), settings.rows, own)
            _add(key, result, lines, say)


def measure_others(
    targets: Sequence[str], candidates: Sequence[str], lines: Lines, settings: Settings, say: Say
) -> None:
    """Rank the candidates of every text target with TransformerRanker, where it is installed."""
    if find_spec("transformer_ranker") is None:
        say("transformer-ranker is not installed: the comparison with it is left out")
        return
    for estimator in ESTIMATORS:
        for target in targets:
            names, key = _folders(target, candidates, settings), ("other", target, estimator)
            if TARGETS[target].kind == "text" and len(names) > 1 and not _known(key, names, lines):
                data = read_target(target, settings)
                _add(key, rank_elsewhere(estimator, names, data), lines, say)


def _folders(target: str, candidates: Sequence[str], settings: Settings) -> dict[str, str]:
    return {name: str(candidate_folder(name, settings)) for name in counted(target, candidates)}


def _known(key: tuple[str, ...], names: Mapping[str, str], lines: Lines) -> bool:
    return key in lines and set(lines[key]["scores"]) == set(names)


def _add(key: tuple[str, ...], result: dict[str, Any], lines: Lines, say: Say) -> None:
    lines.add(key, result)
    say(f"{', '.join(key)}: {len(result['scores'])} candidates, {result['seconds']:.0f} s")


def _estimated(planned: Sequence[Tuning], lines: Lines) -> float:
    """Return the seconds of the fine-tunings that are missing, by the mean of those of a kind."""
    spent: dict[str, list[float]] = {}
    for key in lines:
        if key[0] == "tuning":
            spent.setdefault(TARGETS[key[1]].kind, []).append(lines[key]["seconds"])
    every = [seconds for kind in spent.values() for seconds in kind]
    total = 0.0
    for tuning in planned:
        if tuning.key not in lines:
            known = spent.get(TARGETS[tuning.target].kind, every)
            total += sum(known) / len(known)
    return total
