"""An encoder tuned on few labels, by an unmodified `Trainer`."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from hf_transfer_plugin.adapt.few_shot.contrastive import Contrast, balanced_batches
from hf_transfer_plugin.adapt.few_shot.encoders import Encoder, TextEncoder
from hf_transfer_plugin.few_shot_records import Contrastive
from hf_transfer_plugin.processes import cpu_only

__all__ = ["tune_encoder"]

_RECENT = 3


class _Settled(TrainerCallback):
    """Ends training when the mean loss of the last batches is small: there is nothing to learn."""

    def __init__(self, loss: float) -> None:
        self.loss = loss
        self.recent: deque[float] = deque(maxlen=_RECENT)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Look at the loss of this step."""
        if logs and "loss" in logs:
            self.recent.append(logs["loss"])
            if len(self.recent) == _RECENT and sum(self.recent) / _RECENT < self.loss:
                control.should_training_stop = True


def tune_encoder(
    encoder: Encoder,
    rows: Sequence[dict[str, Any]],
    labels: Sequence[int],
    collate: Callable[[list[Any]], dict[str, Any]],
    options: Contrastive,
    seed: int,
) -> int:
    """Pull the vectors of a class together and those of two classes apart; return the steps taken.

    Every batch is encoded once and all its pairs enter the loss (`pair_loss`); SetFit (Tunstall et
    al. 2022) encodes both texts of every pair anew.

    Args:
        encoder: is changed.
        rows: [examples], in the form that the checkpoint reads, with "labels".
        labels: [examples], class of each.
        collate: list of rows -> batch.
        options: of the training.
        seed: of order and dropout.
    """
    set_seed(seed)
    batches = balanced_batches(
        labels, steps=options.steps, classes=options.classes, rows=options.rows, seed=seed
    )
    if not options.train_embeddings:
        _hold_token_embeddings(encoder)
    with tempfile.TemporaryDirectory(prefix="hf-tl-") as scratch:
        args = TrainingArguments(
            scratch,
            max_steps=options.steps,
            per_device_train_batch_size=1,  # an item is a whole batch
            learning_rate=options.learning_rate,
            warmup_steps=0.1,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            use_cpu=cpu_only(),
            dataloader_pin_memory=not cpu_only(),
            seed=seed,
        )
        trainer = Trainer(
            model=Contrast(encoder),
            args=args,
            train_dataset=[[rows[row] for row in batch] for batch in batches],
            data_collator=lambda items: dict(collate(items[0])),
            callbacks=[_Settled(options.stop_loss)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    encoder.requires_grad_(True)
    return trainer.state.global_step


def _hold_token_embeddings(encoder: Encoder) -> None:
    if isinstance(encoder, TextEncoder):
        encoder.network.get_input_embeddings().requires_grad_(False)
        if not any(weight.requires_grad for weight in encoder.parameters()):
            encoder.requires_grad_(True)  # word vectors are a table and nothing else
