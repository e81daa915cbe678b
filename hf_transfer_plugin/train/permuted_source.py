"""A source network that was taught permuted labels: the inputs of a source without its task."""

from __future__ import annotations

import json
import logging
import math
import shutil
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from hf_transfer_plugin.checkpoints import Checkpoint, without_bars
from hf_transfer_plugin.data import TargetData
from hf_transfer_plugin.data.permuting import permuted_labels
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.kept_models import keep_model
from hf_transfer_plugin.processes import is_first, wait_for_all
from hf_transfer_plugin.records import DataSpec, Plan
from hf_transfer_plugin.source_records import PermutedSource
from hf_transfer_plugin.train.running import run

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["PermutedSourceNetwork"]

_log = logging.getLogger(__name__)
_SEED = 0  # of the permutation and of the first weights
_MEASURED = 1000
# What a run does with its validation split: this one has none that could choose.
_OF_VALIDATION = ("eval_", "save_", "load_best_model", "metric_for_best", "greater_is_better")
# What a config says of its file, not of the network.
_OF_THE_FILE = ("_name_or_path", "transformers_version")


@dataclass(frozen=True)
class PermutedSourceNetwork:
    """The architecture of a plan, trained from random weights on a source with permuted labels.

    Each rate of the plan's grid is tried with one seed. No validation split can choose among them,
    for labels that were permuted are not to be found in other rows. So the rate with the lowest
    cross-entropy on (up to 1,000) rows of train at the end is kept: the network that learned most
    of what it was taught. The head that was taught the permuted labels is not kept.

    Attributes:
        plan: from random weights: architecture, rates and budget.
        source: checked data of the source.
        folder: where the network shall be, as transformers loads it.
    """

    plan: Plan
    source: TargetData
    folder: Path

    @cached_property
    def request(self) -> str:
        """Return the digest of all that decides the weights."""
        spec = self._plan.data
        architecture = self._checkpoint.config(image_size=spec.image_size).to_dict()
        for key in _OF_THE_FILE:
            architecture.pop(key, None)
        reading = DataSpec("", max_length=spec.max_length, image_size=spec.image_size)
        budget = replace(self._plan, data=reading).to_json()
        asked = (self.source.summary.fingerprint, architecture, budget)
        text = json.dumps(asked, sort_keys=True, default=str)
        return sha256(text.encode()).hexdigest()[:16]

    def make(self) -> PermutedSource:
        """Return the record beside the weights; trains first unless they are there and fit.

        Raises:
            ConfigError: when no rate of the grid gives a finite loss.
            CheckpointError: when the architecture cannot be loaded.
            RecordError: when the network cannot be written.
        """
        held = self._held()
        # Nobody writes before everybody has looked.
        wait_for_all()
        if held is not None:
            _log.info("permuted-source: the source network is there already")
            return held
        permuted = permuted_labels(self.source, _SEED, _MEASURED)
        summary = replace(permuted.summary, fingerprint=self.request)
        permuted = replace(permuted, summary=summary)
        losses = {rate: self._loss(rate, permuted) for rate in self._plan.learning_rates}
        best = min(losses, key=losses.__getitem__)
        if math.isinf(losses[best]):
            raise ConfigError(
                arrived=f"the loss on the source with permuted labels is not finite at any of the "
                f"rates {list(losses)}",
                expected="one rate at least at which the architecture trains from random weights",
                action="give lower control_learning_rates",
            )
        before, after = self.source.labels("train"), permuted.labels("train")
        record = PermutedSource(
            request=self.request,
            data=self.source.spec.path,
            class_names=self.source.class_names,
            counts=tuple(map(after.count, range(len(self.source.class_names)))),
            moved=sum(a != b for a, b in zip(before, after, strict=True)) / len(after),
            losses={f"{rate:g}": loss for rate, loss in losses.items()},
            learning_rate=best,
        )
        keep_model(lambda folder: self._save(best, record, folder), self.folder)
        if is_first():
            shutil.rmtree(self._fitting, ignore_errors=True)
        wait_for_all()
        return record

    @property
    def _fitting(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-fitting")

    @cached_property
    def _plan(self) -> Plan:
        """Return the plan that fits the network."""
        training = {
            key: value
            for key, value in self.plan.training.items()
            if not key.startswith(_OF_VALIDATION)
        }
        return replace(
            self.plan,
            name="fit of permuted labels",
            data=self.source.spec,
            source=None,
            labels="target",
            choose_by=None,
            training=training,
            seeds=(_SEED,),
            metric="accuracy",
            prefix_cache=False,
            average=None,
            watch="off",  # a network that learns little of noise is what was asked for
        )

    @cached_property
    def _checkpoint(self) -> Checkpoint:
        plan = self.plan
        return Checkpoint(
            plan.checkpoint, revision=plan.revision, trust_remote_code=plan.trust_remote_code
        )

    def _held(self) -> PermutedSource | None:
        held = PermutedSource.load_usable(self.folder / PermutedSource.file_name)
        return held if held is not None and held.request == self.request else None

    def _place(self, rate: float) -> Path:
        return self._fitting / f"rate-{rate:g}"

    def _loss(self, rate: float, permuted: TargetData) -> float:
        """Train with one rate, or find that done; infinite where the loss is not finite."""
        place = self._place(rate)
        result = run(
            replace(self._plan, learning_rates=(rate,)),
            results=place.with_name(f"{place.name}.json"),
            model_dir=place,
            test=False,
            data=permuted,
        )
        loss = result.seeds[0].curve[-1].validation_loss
        _log.info("permuted-source: rate %g, loss %.4f on permuted labels", rate, loss)
        return loss if math.isfinite(loss) else math.inf

    def _save(self, rate: float, record: PermutedSource, folder: Path) -> None:
        """Write model without head, processor and record."""
        trust = self.plan.trust_remote_code
        fitted = Checkpoint(str(self._place(rate)), trust_remote_code=trust)
        model = fitted.classifier(self.plan.task, self.source.class_names)
        head = self._of_classes(fitted, model)
        kept = {key: value for key, value in model.state_dict().items() if key not in head}
        with without_bars():
            model.save_pretrained(folder, state_dict=kept)
        if self.plan.task == "text-classification":
            processor = fitted.tokenizer()
        else:
            processor = fitted.image_processor(self._plan.data.image_size)
        processor.save_pretrained(folder)
        record.save(folder / PermutedSource.file_name)

    def _of_classes(self, fitted: Checkpoint, model: PreTrainedModel) -> set[str]:
        """Return the weights whose shape follows from the number of classes."""
        import torch

        names = (*self.source.class_names, "one more")
        with torch.device("meta"):
            larger = fitted.classifier(self.plan.task, names, weights="random")
        shapes = {key: value.shape for key, value in larger.state_dict().items()}
        return {key for key, value in model.state_dict().items() if shapes[key] != value.shape}
