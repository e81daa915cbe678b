"""The facts of a run: read from its data, its ranking and its layer profile, never from test."""

from __future__ import annotations

from collections import Counter

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import TargetData
from hf_transfer_plugin.layer_profile_record import LayerProfile
from hf_transfer_plugin.layers import layer_groups
from hf_transfer_plugin.proposal_records import Facts, Kept
from hf_transfer_plugin.records import Candidate, Plan, Ranking

__all__ = ["class_rows", "gather"]

_READOUTS = ("knn_accuracy", "linear_probe_accuracy")


def class_rows(data: TargetData) -> tuple[int, ...]:
    """Return the labelled training rows of each class, in label order."""
    counts = Counter(data.labels("train"))
    return tuple(counts[index] for index in range(len(data.class_names)))


def gather(
    plan: Plan,
    data: TargetData,
    ranking: Ranking,
    kept: Kept,
    *,
    profile: LayerProfile | None = None,
    budget_minutes: float | None = None,
) -> Facts:
    """Return what a proposal reads.

    Args:
        plan: of the config, with the checkpoint that is transferred.
        data: its rows; those of train are counted, no other split is looked at.
        ranking: has scored that checkpoint.
        kept: what the user has written.
        profile: of this checkpoint on these data, if there is one.
        budget_minutes: of training.

    Raises:
        CheckpointError: when the architecture cannot be read.
    """
    counts = class_rows(data)
    row = next((each for each in ranking.candidates if each.checkpoint == plan.checkpoint), None)
    parameters, blocks = _network(plan)
    ahead, lower = _ahead(plan, ranking)
    fits = profile is not None and profile.beats_random and profile.checkpoint == plan.checkpoint
    boundary = profile.source_specific_from if fits and profile is not None else None
    return Facts(
        task=plan.task,
        class_rows=counts,
        checkpoint=plan.checkpoint,
        unlabelled_rows=len(data.splits["unlabelled"]) if "unlabelled" in data.splits else 0,
        parameters=parameters,
        blocks=blocks,
        batch_size=plan.batch_size,
        seeds=len(plan.seeds),
        labels=plan.labels,
        readout=None if row is None else _readout(row),
        ahead=ahead,
        ahead_lower=lower,
        boundary=boundary,
        beyond=profile.train if boundary is not None and profile is not None else (),
        pass_seconds=_pass_seconds(row, ranking, sum(counts)),
        device=_device(),
        prefix_cache=plan.prefix_cache,
        budget_minutes=budget_minutes,
        kept=kept,
    )


def _network(plan: Plan) -> tuple[int, int]:
    """Return weights and blocks of the architecture; no weight is loaded."""
    import torch

    checkpoint = Checkpoint(
        plan.checkpoint, revision=plan.revision, trust_remote_code=plan.trust_remote_code
    )
    with torch.device("meta"):
        model = checkpoint.classifier(
            plan.task, ["a", "b"], weights="random", image_size=plan.data.image_size
        )
    blocks = sum(group.is_block for group in layer_groups(model))
    return sum(parameter.numel() for parameter in model.parameters()), blocks


def _readout(row: Candidate) -> float | None:
    found = [
        scores[name]
        for scores in (row.best_layer, row.scores)
        for name in _READOUTS
        if name in scores
    ]
    return max(found, default=None)


def _ahead(plan: Plan, ranking: Ranking) -> tuple[float | None, float | None]:
    """Return the lowest difference to a baseline, and the lower end of its interval."""
    found = [each for each in ranking.forecasts if each.checkpoint == plan.checkpoint]
    if not found:
        return None, None
    lowest = min(found, key=lambda each: each.difference)
    return lowest.difference, lowest.lower


def _pass_seconds(row: Candidate | None, ranking: Ranking, rows: int) -> float | None:
    if row is None or row.estimated_seconds is None or not ranking.examples:
        return None
    return round(row.estimated_seconds / ranking.examples * rows, 3)


def _device() -> str:
    import torch

    from hf_transfer_plugin.processes import cpu_only

    if cpu_only():
        return ""
    return str(torch.accelerator.current_accelerator())
