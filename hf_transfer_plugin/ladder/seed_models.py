"""The weights that a run kept of every seed, and one model to try weights with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hf_transfer_plugin.checkpoints import Checkpoint, without_bars
from hf_transfer_plugin.data import Prepared, TargetData, prepare
from hf_transfer_plugin.processes import cpu_only
from hf_transfer_plugin.records import Plan, SeedResult
from hf_transfer_plugin.train.answers import Answers, answer

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

__all__ = ["SeedModels"]


@dataclass(frozen=True)
class SeedModels:
    """Models of one plan.

    Attributes:
        plan: what was trained.
        data: the target.
        folder: `seeds_dir` of the run.
    """

    plan: Plan
    data: TargetData
    folder: Path

    def weights(self, seed: int, *, start: bool = False) -> dict[str, Tensor]:
        """Return the weights of a seed; with `start` those its last phase began with."""
        model = self._load(seed, "-start" if start else "")
        return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    def answers(self, weights: Mapping[str, Tensor], role: str) -> Answers:
        """Let a model with these weights answer a split."""
        return answer(self._with(weights), self._prepared(role), role)

    def save(self, weights: Mapping[str, Tensor], folder: Path) -> None:
        """Write model and processor, as transformers loads them."""
        with without_bars():
            self._with(weights).save_pretrained(folder)
        self._prepared("validation").processor.save_pretrained(folder)

    def answered(self, seed: SeedResult, weights: Mapping[str, Tensor]) -> SeedResult:
        """Return the result of a seed with what these weights answer on the test split."""
        found = self.answers(weights, "test")
        return replace(
            seed,
            test=found.metrics,
            predictions=found.predictions,
            confidences=found.confidences,
        )

    def _with(self, weights: Mapping[str, Tensor]) -> PreTrainedModel:
        self._model.load_state_dict(dict(weights))
        return self._model

    @cached_property
    def _model(self) -> PreTrainedModel:
        import torch

        model = self._load(self.plan.seeds[0], "")
        device = None if cpu_only() else torch.accelerator.current_accelerator()
        if device is not None:
            model.to(device)  # type: ignore[arg-type]
        return model

    def _load(self, seed: int, suffix: str) -> PreTrainedModel:
        trust = self.plan.trust_remote_code
        kept = Checkpoint(str(self.folder / f"seed-{seed}{suffix}"), trust_remote_code=trust)
        return kept.classifier(self.plan.task, self.data.class_names)

    @cached_property
    def _splits(self) -> dict[str, Prepared]:
        return {}

    def _prepared(self, role: str) -> Prepared:
        """Return one split as the checkpoint reads it; no other is read."""
        if role not in self._splits:
            checkpoint = Checkpoint(
                self.plan.checkpoint,
                revision=self.plan.revision,
                trust_remote_code=self.plan.trust_remote_code,
            )
            self._splits[role] = prepare(checkpoint, self.data, (role,))
        return self._splits[role]
