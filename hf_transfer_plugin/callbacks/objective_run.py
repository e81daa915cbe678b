"""One training run with an objective: hooks that add its term to the loss of the model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from accelerate.utils import send_to_device
from torch import nn
from transformers import TrainingArguments, set_seed

from hf_transfer_plugin.adapt.objectives.loss_term import LossTerm, Pass, Start
from hf_transfer_plugin.callbacks.loss_share import LossShare
from hf_transfer_plugin.callbacks.objective_reading import PassReader, hands_on_images
from hf_transfer_plugin.callbacks.objective_source import Source
from hf_transfer_plugin.callbacks.second_pass import SecondPass
from hf_transfer_plugin.data import AugmentedImages
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.layers import layer_groups
from hf_transfer_plugin.model_outputs import part_of
from hf_transfer_plugin.random_states import kept_random_states

__all__ = ["ObjectiveRun"]

logger = logging.getLogger(__name__)


class ObjectiveRun:
    """Holds what belongs to one run: hooks, and values to log.

    Args:
        objective: whose term is added.
        source: the network before training.
        model: the innermost one that Trainer knows.
        args: of the Trainer.
        rows: its dataloader of training rows.
        steps: that the run makes in all.
    """

    def __init__(
        self,
        objective: LossTerm,
        source: Source,
        model: nn.Module,
        args: TrainingArguments,
        rows: Any,
        steps: int,
    ) -> None:
        self._objective, self._share = objective, LossShare()
        self._latest: dict[str, torch.Tensor] = {}
        self._seen: list[dict[str, torch.Tensor]] = []
        self._told = False
        precision = torch.bfloat16 if args.bf16 else torch.float16 if args.fp16 else None
        read_source = source.reading(args.device, precision)
        reads = objective.record.kind.reads
        self._read_source = read_source if "source" in reads else None
        head = layer_groups(model).head
        objective.attach(
            Start(
                model,
                source.first,
                head.parameter_names if head is not None else (),
                hands_on_images(model),
                read_source,
                source.head.to(args.device) if source.head is not None else None,
                _batches(rows, args),
                args.seed,
                steps,
            )
        )
        self._reader = PassReader(model, reads)
        self._second = SecondPass(model, args.device) if "second_pass" in reads else None

        # Functions, for a copy of the model copies bound methods with all that they belong to.
        def before(module: nn.Module, given: Any, kwargs: dict[str, Any]) -> Any:
            if not _trains(module):
                return None
            if self._second is not None:
                self._second.first_begins()
            changed = self._share.before(kwargs)
            return None if changed is None else (given, changed)

        def after(module: nn.Module, given: Any, kwargs: dict[str, Any], outputs: Any) -> Any:
            if not _trains(module):
                self._reader.forget()
                return None
            return self._add(given, kwargs, outputs)

        self._hooks = [
            model.register_forward_pre_hook(before, with_kwargs=True),
            model.register_forward_hook(after, with_kwargs=True),
        ]

    def pass_done(self) -> None:
        """Take the values of the last pass: it was one of a step."""
        if self._latest:
            self._seen.append(self._latest)
        self._latest = {}

    def logged(self) -> dict[str, float]:
        """Return the mean of each value over the passes since the last call."""
        seen, self._seen = self._seen, []
        names = seen[0] if seen else {}
        return {
            f"objective/{name}": float(torch.stack([each[name] for each in seen]).mean())
            for name in names
        }

    def close(self) -> None:
        """Leave the model as it was."""
        for hook in self._hooks:
            hook.remove()
        self._reader.remove()
        self._objective.detach()

    def _add(self, given: tuple[Any, ...], kwargs: Mapping[str, Any], outputs: Any) -> Any:
        loss = part_of(outputs, "loss")
        if loss is None or loss.numel() != 1:
            raise ConfigError(
                arrived=f"a pass in training without a loss, with objective {self._objective.name}",
                expected="a model that is given labels and returns a loss",
                action="train without label_smoothing_factor and compute_loss_func",
            )
        factor = self._share.of(kwargs, loss)
        source = None
        if self._read_source is not None:
            with torch.no_grad():
                source = self._read_source(kwargs)
        read = self._reader.read(kwargs)
        again = self._second.run(given, kwargs) if self._second is not None else None
        if again is not None:
            other = part_of(again, "loss")
            assert other is not None
            loss = (loss + other) / 2
        # The loss of an autocast pass comes back in float32; so is the term.
        term, values = self._objective.term(Pass(kwargs, outputs, read, source, again))
        self._tell(term)
        values = {"loss": term, **values}
        self._latest = {n: v.detach().float().to(loss.device) for n, v in values.items()}
        total = loss + (factor * term).to(loss.device).reshape(loss.shape)
        if isinstance(outputs, tuple):
            return (total, *outputs[1:])
        outputs["loss"] = total
        return outputs

    def _tell(self, term: torch.Tensor) -> None:
        if not term.requires_grad and not self._told:
            logger.warning(
                "objective %s moves nothing as long as %s",
                self._objective.name,
                self._objective.record.kind.idle,
            )
        self._told = not term.requires_grad


def _trains(module: nn.Module) -> bool:
    return module.training and torch.is_grad_enabled()


def _batches(rows: Any, args: TrainingArguments) -> Callable[[], Iterable[Mapping[str, Any]]]:
    """Return what reads the training rows in order, the same each time, and draws no number."""

    def read() -> Iterator[Mapping[str, Any]]:
        data, collate = rows.dataset, rows.collate_fn
        images = getattr(data, "dataset", data)
        unchanged = images.unchanged if isinstance(images, AugmentedImages) else nullcontext
        try:
            count = len(data)
        except TypeError:
            raise ConfigError(
                arrived="a training set that is a stream, for an objective that reads rows first",
                expected="a dataset with a length",
                action="load the dataset whole, or choose an objective on weights, such as l2sp",
            ) from None
        size = args.per_device_eval_batch_size
        for first in range(0, count, size):
            with kept_random_states(), unchanged():
                set_seed(args.seed + first)
                batch = collate([data[index] for index in range(first, min(first + size, count))])
            yield send_to_device(batch, args.device)

    return read
