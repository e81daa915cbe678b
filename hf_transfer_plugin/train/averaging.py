"""The average of a plan: weights that are tried on validation when training has ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedModel, Trainer

from hf_transfer_plugin.adapt.weight_averages import between, greedy_soup, line, mean_weights
from hf_transfer_plugin.alarms import Alarm
from hf_transfer_plugin.average_records import PLAIN, ChosenWeights
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.callbacks.learned_weights import copied, learned_weights, put_weights
from hf_transfer_plugin.callbacks.stepped_weights import torch_optimizer
from hf_transfer_plugin.callbacks.weight_average import WeightAverageCallback
from hf_transfer_plugin.data import Prepared
from hf_transfer_plugin.records import Plan
from hf_transfer_plugin.train.reached import measured

__all__ = ["Fitted", "choose_weights", "moving_average", "soup_members"]

_log = logging.getLogger(__name__)
Weights = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Fitted:
    """A model after its training.

    Attributes:
        model: holds the weights that training left.
        trainer: has ended.
        prepared: the data in the form the model reads.
        freezing: applied the schedule.
        alarms: what was noticed.
        validation: metric name -> value with the weights that training left.
        kept_step: optimizer steps of the weights, where they were chosen without labels.
        start: all weights as the last phase began, where they were kept and it has begun.
        moving: the moving average, where one was kept.
        close: takes the prefix cache off, which serves no other weights than those of training;
            it may be called twice.
        restore: lets the last block compute all tokens again, where it computed the first alone.
    """

    model: PreTrainedModel
    trainer: Trainer
    prepared: Prepared
    freezing: FreezingCallback
    alarms: tuple[Alarm, ...]
    validation: dict[str, float]
    kept_step: int | None
    start: dict[str, torch.Tensor]
    moving: dict[str, torch.Tensor]
    close: Callable[[], None]
    restore: Callable[[], None]

    def weights(self) -> dict[str, torch.Tensor]:
        """Return copies of what trained, and of the buffers."""
        return copied(learned_weights(self.model, torch_optimizer(self.trainer.optimizer)))


def moving_average(plan: Plan) -> WeightAverageCallback | None:
    """Return what follows the weights of a plan while it trains, where the plan asks for it."""
    if plan.average is None or plan.average.name != "ema":
        return None
    return WeightAverageCallback(plan.average.settings["decay"])


def soup_members(plan: Plan, seed: int) -> Iterator[tuple[int, float]]:
    """Return seed of rows and dropout, and factor on the rate, of all members but the first.

    The first is the plain training. The others have, in turn, a lower and a higher rate.
    """
    assert plan.average is not None
    settings = plan.average.settings
    for member in range(1, settings["members"]):
        order = int(np.random.SeedSequence([seed, member]).generate_state(1)[0])
        yield order, float(settings["spread"]) ** (-1 if member % 2 else 1)


def choose_weights(
    plan: Plan, fitted: Fitted, members: Callable[[], Iterable[tuple[Weights, float]]]
) -> tuple[dict[str, float], ChosenWeights]:
    """Try the averages of a plan on validation, and leave the best weights in the model.

    The plain weights win every tie, so validation is never worse with the average than without.

    Args:
        plan: has an average.
        fitted: the trained model.
        members: trains the further members of a soup; gives weights and judged metric of each.

    Returns:
        The metrics on validation of the weights that stay, and what was tried.
    """
    assert plan.average is not None
    trials = _Trials(plan, fitted)
    name, settings = plan.average.name, plan.average.settings
    if name == "wise_ft":
        _walk_to_the_start(trials, fitted.start, settings["steps"])
    elif name == "ema":
        if fitted.moving:
            trials.measure("ema", fitted.moving)
    else:
        _cook(trials, list(members()))
    return trials.finish()


def _walk_to_the_start(trials: _Trials, start: Weights, steps: int) -> None:
    """Try the line from the plain weights back to the start, nearest first.

    References:
        Wortsman et al., "Robust fine-tuning of zero-shot models" (2022).
    """
    if not start:
        _log.warning("WiSE-FT: the last phase never began, so there is no start to go back to")
        return
    plain = trials.plain
    own = {name: start[name] for name in plain}
    for alpha, weights in line(own, plain, (*reversed(between(steps)), 0.0)):
        trials.measure(f"alpha {alpha:g}", weights)


def _cook(trials: _Trials, others: Sequence[tuple[Weights, float]]) -> None:
    """Average the trainings, the best one first, each that makes the average better.

    References:
        Wortsman et al., "Model soups" (2022), algorithm 1.
    """
    weights = [trials.plain, *(each for each, _ in others)]
    alone = dict(enumerate([trials.scores[PLAIN], *(score for _, score in others)]))
    first = max(alone, key=alone.__getitem__)
    for number, score in alone.items():
        # The one that is best by its own account is measured here, as the averages are.
        if number == first and number:
            alone[number] = trials.measure(_named([number]), weights[number])
        elif number:
            trials.scores[_named([number])] = score

    def together(members: Sequence[int]) -> float:
        mixed = mean_weights([weights[member] for member in members])
        return trials.measure(_named(members), mixed)

    greedy_soup(alone, together, strict=True)


def _named(members: Sequence[int]) -> str:
    return f"member{'s' if len(members) > 1 else ''} {', '.join(map(str, sorted(members)))}"


class _Trials:
    """Weights that were measured on validation, and the best of them."""

    def __init__(self, plan: Plan, fitted: Fitted) -> None:
        fitted.close()
        self.plain = fitted.weights()
        self.scores = {PLAIN: fitted.validation[plan.chosen_by]}
        self._metric, self._fitted = plan.chosen_by, fitted
        self._best: Weights = self.plain
        self._chosen, self._metrics = PLAIN, fitted.validation

    def measure(self, name: str, weights: Weights) -> float:
        """Put weights into the model and return their judged metric."""
        put_weights(self._fitted.model, weights)
        metrics = measured(self._fitted.trainer, self._fitted.prepared)
        self.scores[name] = metrics[self._metric]
        if self.scores[name] > self.scores[self._chosen]:
            self._best, self._chosen, self._metrics = weights, name, metrics
        return self.scores[name]

    def finish(self) -> tuple[dict[str, float], ChosenWeights]:
        """Leave the best weights in the model, and tell of all."""
        put_weights(self._fitted.model, self._best)
        return self._metrics, ChosenWeights(self._chosen, self.scores)
