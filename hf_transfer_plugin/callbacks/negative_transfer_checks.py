"""What must hold before a run is watched, and which metric it follows."""

from __future__ import annotations

from transformers import TrainingArguments

from hf_transfer_plugin.alarms import GOES_BACK
from hf_transfer_plugin.callbacks.plateau import watched_metric
from hf_transfer_plugin.errors import ConfigError

__all__ = ["check_action", "followed_metric"]


def check_action(action: str, args: TrainingArguments, sharded: bool) -> None:
    """Check that a run can do what its alarms ask for.

    Args:
        action: what an alarm does.
        args: arguments of the run.
        sharded: no process holds all weights.

    Raises:
        ConfigError: when it cannot.
    """
    if sharded and action in GOES_BACK:
        raise ConfigError(
            arrived=f'action="{action}", and the weights are dealt out among processes',
            expected="whole weights in each process, as with DistributedDataParallel",
            action='use "stop" with load_best_model_at_end=True',
        )
    if args.world_size > 1 and action == "refreeze" and args.ddp_find_unused_parameters is False:
        raise ConfigError(
            arrived='action="refreeze" and ddp_find_unused_parameters=False',
            expected="DistributedDataParallel that lets weights go without a gradient",
            action="set ddp_find_unused_parameters=True in TrainingArguments",
        )


def followed_metric(metric: str | None, args: TrainingArguments) -> tuple[str, bool]:
    """Return the key of the metric that is followed, and whether larger is better.

    Args:
        metric: its name without "eval_"; None: that of the best checkpoint.
        args: arguments of the run.
    """
    key, greater = watched_metric(args)
    if metric is None or key == f"eval_{metric}":
        return key, greater
    return f"eval_{metric}", not metric.endswith("loss")
