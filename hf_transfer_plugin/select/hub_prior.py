"""What the Hub says about a checkpoint without looking at the target: the static prior."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_transfer_plugin.samples import is_sample

__all__ = ["HubPrior", "hub_prior"]

TIMEOUT_SECONDS = 3.0
MOST_METRICS = 5
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class HubPrior:
    """The same for every target, and therefore what a ranking has to improve on.

    Attributes:
        downloads: of the last 30 days, or None.
        declared: "METRIC on DATA SET" -> value, from the model card; nobody has checked it.
    """

    downloads: int | None = None
    declared: Mapping[str, float] = field(default_factory=dict)


def hub_prior(name: str, revision: str | None = None) -> HubPrior:
    """Ask the Hub about a repository; empty for anything else, offline, or without an answer.

    Args:
        name: Hub name; a folder or `sample:NAME` is not asked for.
        revision: commit, tag or branch.
    """
    from huggingface_hub import HfApi, constants

    local = is_sample(name) or name.startswith((".", "/", "~")) or Path(name).is_dir()
    if local or constants.HF_HUB_OFFLINE:
        return HubPrior()
    try:
        found = HfApi().model_info(name, revision=revision, timeout=TIMEOUT_SECONDS)
        return HubPrior(found.downloads, _declared(found.card_data))
    except Exception as error:  # whatever it is: a prior is never worth an error
        logger.debug("the Hub says nothing about %s: %s", name, error)
        return HubPrior()


def _declared(card: Any) -> dict[str, float]:
    values: dict[str, float] = {}
    for each in getattr(card, "eval_results", None) or ():
        value = each.metric_value
        if isinstance(value, int | float) and math.isfinite(value) and len(values) < MOST_METRICS:
            values.setdefault(f"{each.metric_type} on {each.dataset_name}", float(value))
    return values
