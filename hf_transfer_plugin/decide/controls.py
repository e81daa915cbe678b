"""Controls: what the same data give without the source. Each is just another plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from hf_transfer_plugin.decide.domain_controls import (
    control_watch,
    per_domain_standardised,
    source_and_target,
    source_only,
    target_only,
    without_network,
)
from hf_transfer_plugin.decide.rates import (
    ENOUGH_RATES,
    FULL_FACTORS,
    Rates,
    checked_rate,
    own_rates,
    rates_around,
)
from hf_transfer_plugin.errors import ConfigError, did_you_mean
from hf_transfer_plugin.masked_language_records import MaskedLanguageResult
from hf_transfer_plugin.records import Average, Phase, Plan

__all__ = [
    "BEFORE_PRETRAINING",
    "CONTROLS",
    "DEFAULT_CONTROLS",
    "PERMUTED_SOURCE",
    "SOURCE_CONTROLS",
    "controls",
    "pretraining_of",
]

BEFORE_PRETRAINING = "before-pretraining"
DEFAULT_CONTROLS = ("from-scratch", "linear", "majority")
PERMUTED_SOURCE = "./sources/permuted"  # in the run folder
#: Those that read source data.
SOURCE_CONTROLS = (
    "permuted-source",
    "source-only",
    "source-and-target",
    "per-domain-standardised",
)
HEAD_FACTORS = (1.0, 10.0, 100.0)  # a head alone stands, and needs, larger steps


def controls(
    plan: Plan,
    names: Sequence[str] = DEFAULT_CONTROLS,
    *,
    learning_rates: Sequence[float] = (),
) -> tuple[Plan, ...]:
    """Return the plans to compare a transfer with; nothing is trained here.

    - "from-scratch": same architecture, random weights, all layers train. Does the source help?
    - "linear": logistic regression on TF-IDF ("tfidf-logistic") or on pixels
      ("pixels-logistic"), the name of its plan. Is a network needed?
    - "majority": the most frequent class. Is anything learned?
    - "frozen-probe": same checkpoint, only the head trains. Is fine-tuning needed?
    - "permuted-source": the plan as it is, from a network of the same architecture that learned
      permuted labels on the source data (`PERMUTED_SOURCE`; a `Line` makes it). Does it matter
      what the source taught, or would any training on its inputs do?
    - "before-pretraining": the plan as it is, from the checkpoint as it was before
      `masked_language_pretraining`. Does further pretraining help?
    - "source-only": the plan on the source's labels, without an objective that reads domains. Does
      adaptation help, or does the target harm?
    - "target-only": the plan on the target's labels: what they would give, a ceiling where the
      transfer reads none. Does the source help?
    - "source-and-target": the plan on the rows of both. Does either harm the other?
    - "per-domain-standardised": logistic regression on frozen features, standardised in each domain
      by itself, and the source's labels. Is training a network needed to adapt?

    Data, seeds and metric stay those of the plan. A control trains with a grid of rates, because
    one at a rate that was tuned for the transfer loses for that reason alone, and help is
    over-reported. "permuted-source" and "before-pretraining" have the plan's own rates: with a grid
    of three in the plan, those of both are tuned. They have the adapter and the objective of the
    plan, others do not: an adapter on random weights that never train would lose to anything, and
    an objective has no source to hold them to. The controls of domains that train a network have
    both, and the plan's own rates. What validation gains by an average of weights, the controls
    that train a network gain too; those from other weights or with other layers have no start to
    go back to, so they drop WiSE-FT.

    Args:
        plan: the transfer, from a pretrained checkpoint.
        names: keys of `CONTROLS`, in the order wanted; the first is the one that decides.
        learning_rates: grid of the controls that train a network; of "permuted-source" that of
            the source network. Without it, from scratch and there: the plan's own grid if that has
            three rates, else 0.3, 1 and 3 times each rate of the plan; frozen probe: 1, 10 and 100
            times each rate of the plan.

    Returns:
        One plan for each name.

    Raises:
        ConfigError: for an unknown or repeated name, a rate that is not positive, a plan that
            transfers nothing, or "before-pretraining" of a checkpoint that had none.
    """
    _check_transfers(plan)
    _check_names(names)
    own_rates(plan)  # a rate that is no number must not wait for the control that reads it
    given = tuple(checked_rate(rate, plan) for rate in learning_rates)
    made = tuple(CONTROLS[name](plan, given) for name in names)
    _check_differ(plan, made)
    taken = [control.name for control in made if control.name == plan.name]
    if taken:
        raise ConfigError(
            arrived=f"the plan is named {plan.name!r}, like its control",
            expected="names that are unique within a run",
            action="name the plan 'transfer'",
        )
    return made


def _from_scratch(plan: Plan, given: Rates) -> Plan:
    own = plan.learning_rates if len(plan.learning_rates) >= ENOUGH_RATES else ()
    return replace(
        plan,
        name="from-scratch",
        weights="random",
        schedule=(Phase(train=("*",)),),
        watch=control_watch(plan),
        adapter=None,
        objective=None,
        average=_average(plan),
        learning_rates=given or own or rates_around(own_rates(plan), FULL_FACTORS),
    )


def _frozen_probe(plan: Plan, given: Rates) -> Plan:
    return replace(
        plan,
        name="frozen-probe",
        schedule=(Phase(train=("head",)),),
        watch=control_watch(plan),
        adapter=None,
        objective=None,
        average=_average(plan),
        learning_rates=given or rates_around(own_rates(plan), HEAD_FACTORS),
    )


def _permuted_source(plan: Plan, _: Rates) -> Plan:
    return replace(
        plan,
        name="permuted-source",
        checkpoint=PERMUTED_SOURCE,
        revision=None,
        watch=control_watch(plan),
    )


def _before_pretraining(plan: Plan, _: Rates) -> Plan:
    found = pretraining_of(plan.checkpoint)
    return replace(
        plan,
        name=BEFORE_PRETRAINING,
        checkpoint=found.checkpoint,
        revision=found.revision,
        watch=control_watch(plan),
    )


def pretraining_of(checkpoint: str) -> MaskedLanguageResult:
    """Return what made a checkpoint, which the control "before-pretraining" goes back behind.

    Raises:
        ConfigError: for one that `masked_language_pretraining` did not write.
    """
    found = MaskedLanguageResult.of(checkpoint)
    if found is None:
        raise ConfigError(
            arrived=f"the control {BEFORE_PRETRAINING} of the checkpoint {checkpoint}",
            expected="a folder that masked_language_pretraining wrote, with "
            + MaskedLanguageResult.file_name,
            action=f"name that folder as checkpoint, or remove {BEFORE_PRETRAINING} from controls",
        )
    return found


def _average(plan: Plan) -> Average | None:
    """Return the average of a control of one phase, which began with no trained head."""
    return None if plan.average is None or plan.average.kind.needs_start else plan.average


def _linear(plan: Plan, _: Rates) -> Plan:
    text = plan.task == "text-classification"
    return without_network(plan, "tfidf-logistic" if text else "pixels-logistic")


def _majority(plan: Plan, _: Rates) -> Plan:
    return without_network(plan, "majority")


def _check_transfers(plan: Plan) -> None:
    if plan.weights == "pretrained" and not plan.checkpoint.startswith("baseline:"):
        return
    raise ConfigError(
        arrived=f"plan {plan.name!r} with weights={plan.weights!r} and "
        f"checkpoint={plan.checkpoint!r}, which transfers nothing",
        expected="a plan that starts from pretrained weights",
        action="make the controls from the transfer's plan",
    )


def _check_differ(plan: Plan, made: Sequence[Plan]) -> None:
    for control in made:
        if replace(control, name=plan.name, watch=plan.watch) == plan:
            raise ConfigError(
                arrived=f"the control {control.name} of a plan that is the same training: "
                f"labels: {plan.labels}",
                expected="a control that differs from the transfer",
                action=f"remove {control.name} from controls",
            )


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if name not in CONTROLS:
            raise ConfigError(
                arrived=f"there is no control {name!r}{did_you_mean(name, CONTROLS)}",
                expected=f"one of {list(CONTROLS)}",
                action="correct the name",
            )
    if len(set(names)) < len(names):
        raise ConfigError(
            arrived=f"controls {list(names)}",
            expected="every name once",
            action="remove the repeated name",
        )


CONTROLS: Mapping[str, Callable[[Plan, Rates], Plan]] = MappingProxyType(
    {
        "from-scratch": _from_scratch,
        "frozen-probe": _frozen_probe,
        "linear": _linear,
        "majority": _majority,
        "permuted-source": _permuted_source,
        BEFORE_PRETRAINING: _before_pretraining,
        "source-only": source_only,
        "target-only": target_only,
        "source-and-target": source_and_target,
        "per-domain-standardised": per_domain_standardised,
    }
)
