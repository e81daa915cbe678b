"""Further pretraining of an encoder on unlabelled texts: words are masked and predicted."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.complete_checkpoints import last_complete_checkpoint
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.callbacks.progress import ProgressBarCallback
from hf_transfer_plugin.checkpoints import Checkpoint, without_bars
from hf_transfer_plugin.errors import RecordError
from hf_transfer_plugin.kept_models import keep_model
from hf_transfer_plugin.masked_language_records import MaskedLanguageCurve, MaskedLanguageResult
from hf_transfer_plugin.processes import cpu_only, world_size
from hf_transfer_plugin.terminal import progress
from hf_transfer_plugin.train.masked_language_options import check_options
from hf_transfer_plugin.train.masked_positions import predicting_masked_alone
from hf_transfer_plugin.train.masked_rows import MaskedRows, masked_rows

__all__ = ["masked_language_pretraining"]

HEAD_FIRST = 0.2  # share of the steps that train a fresh head alone


def masked_language_pretraining(
    checkpoint: str,
    texts: Sequence[str],
    folder: str | Path,
    *,
    epochs: int = 10,
    learning_rate: float = 1e-4,
    batch_size: int = 32,
    max_length: int = 128,
    mask_share: float = 0.15,
    validation_share: float = 0.1,
    patience: int = 3,
    seed: int = 0,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> MaskedLanguageResult:
    """Pretrain an encoder further on texts without labels, and keep a whole checkpoint.

    A share of the tokens is masked (80 % by the mask token, 10 % by another, 10 % stay, anew each
    epoch) and predicted, with an unmodified Trainer. The weights of the epoch with the least loss
    on held-out texts are kept, with the head for masked words and with what the checkpoint has
    beside the encoder (the pooler of BERT). A checkpoint without such a head gets a fresh one,
    which trains alone for the first fifth of the steps. `folder` then loads with `AutoModel`,
    `AutoModelForSequenceClassification` and `AutoModelForMaskedLM`, and is a `checkpoint` of any
    config. A call that was stopped goes on from its last epoch; one that was done reads its record.

    Example:
        >>> found = masked_language_pretraining("sample:minilm", texts, "runs/books-encoder")
        >>> found.before, found.after
        (10.34, 3.91)

    Args:
        checkpoint: Hub name, local folder or `sample:NAME`, with a tokenizer that has a mask.
        texts: at least 20 that are not empty.
        folder: where the checkpoint is written; new, or that of the same call.
        epochs: passes over the texts at most.
        learning_rate: peak rate, linear after a warm-up of 6 % of the steps.
        batch_size: texts per optimizer step, over all processes.
        max_length: tokens of a row; a longer text becomes several.
        mask_share: share of the tokens that are predicted.
        validation_share: share of the texts that is held out.
        patience: epochs without a lower loss after which it ends.
        seed: of the held-out texts, the order, the masks and a fresh head.
        revision: commit, tag or branch of the checkpoint on the Hub.
        trust_remote_code: run code that comes with the checkpoint.

    Raises:
        DataError: for too few texts.
        CheckpointError: for a checkpoint that predicts no masked words, or has no mask token.
        ConfigError: for options out of range.
        RecordError: when the folder holds something else, or cannot be written.

    References:
        Devlin et al., "BERT" (2019); Gururangan et al., "Don't Stop Pretraining" (2020); Raina et
        al., "Self-taught Learning" (2007).
    """
    options: dict[str, Any] = {
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "max_length": max_length,
        "mask_share": mask_share,
        "validation_share": validation_share,
        "patience": patience,
        "seed": seed,
    }
    check_options(options)
    asked = [checkpoint, revision, options, list(texts)]
    request = sha256(json.dumps(asked).encode()).hexdigest()[:16]
    folder = Path(folder)
    working = folder / f"training-{request}"
    done = _earlier(folder, working, request)
    if done is not None:
        return done
    start = time.perf_counter()
    network = Checkpoint(checkpoint, revision=revision, trust_remote_code=trust_remote_code)
    set_seed(seed)
    model, keys = network.masked_language_model()
    tokenizer = network.tokenizer()
    rows = masked_rows(checkpoint, tokenizer, texts, max_length, mask_share, validation_share, seed)
    fresh = any(key.split(".")[0] != model.base_model_prefix for key in keys["missing_keys"])
    trainer = _trainer(model, rows, options, working)
    if fresh:
        trainer.add_callback(FreezingCallback(FreezingSchedule.lp_ft(HEAD_FIRST)))
    headline = f"masked words, {rows.texts:,} texts"
    # Copies of the model in one process (DataParallel) have logits of one shape.
    alone = nullcontext() if trainer.args.n_gpu > 1 else predicting_masked_alone(model)
    with progress(headline) as move, alone:
        trainer.add_callback(ProgressBarCallback(move, "loss"))
        trainer.train(resume_from_checkpoint=last_complete_checkpoint(working))
    curve = tuple(
        MaskedLanguageCurve(int(entry["step"]), float(entry["eval_loss"]))
        for entry in trainer.state.log_history
        if "eval_loss" in entry
    )
    # Where a call goes on, it looks once more at the epoch it goes on from.
    points = tuple({point.step: point for point in curve}.values())
    best = min(points[1:], key=lambda point: point.validation_loss)
    result = MaskedLanguageResult(
        request=request,
        checkpoint=checkpoint,
        revision=revision,
        model_type=model.config.model_type,
        texts=rows.texts,
        validation_texts=rows.validation_texts,
        steps=best.step,
        before=points[0].validation_loss,
        after=best.validation_loss,
        curve=points,
        fresh_head=fresh,
        seconds=time.perf_counter() - start,
    )
    beside = _beside(network, model, keys["unexpected_keys"])
    keep_model(partial(_save, model, tokenizer, beside, result), folder)
    return result


def _trainer(model: Any, rows: MaskedRows, options: dict[str, Any], working: Path) -> Trainer:
    args = TrainingArguments(
        str(working),
        num_train_epochs=options["epochs"],
        learning_rate=options["learning_rate"],
        warmup_steps=0.06,
        weight_decay=0.01,
        per_device_train_batch_size=options["batch_size"] // world_size(),
        per_device_eval_batch_size=32,
        seed=options["seed"],
        data_seed=options["seed"],
        eval_strategy="epoch",
        eval_on_start=True,
        save_strategy="epoch",
        logging_strategy="epoch",
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="loss",
        greater_is_better=False,
        restore_callback_states_from_checkpoint=True,
        prediction_loss_only=True,
        remove_unused_columns=False,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=not cpu_only(),
        use_cpu=cpu_only(),
    )
    trainer = Trainer(
        model=model,
        args=args,
        train_dataset=rows.train,
        eval_dataset=rows.validation,
        data_collator=rows.collate,
        callbacks=[EarlyStoppingCallback(options["patience"])],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _beside(network: Checkpoint, model: Any, unexpected: Sequence[str]) -> dict[str, torch.Tensor]:
    """Return weights of the checkpoint's encoder that a model for masked words lacks: a pooler."""
    if not unexpected:
        return {}
    encoder = network.backbone()
    own = model.base_model.state_dict()
    return {
        f"{model.base_model_prefix}.{name}": value
        for name, value in encoder.state_dict().items()
        if name not in own and any(f".{key}".endswith(f".{name}") for key in unexpected)
    }


def _save(
    model: Any,
    tokenizer: Any,
    beside: dict[str, torch.Tensor],
    result: MaskedLanguageResult,
    folder: Path,
) -> None:
    with without_bars():
        model.save_pretrained(folder, state_dict=model.state_dict() | beside)
    tokenizer.save_pretrained(folder)
    result.save(folder / result.file_name)


def _earlier(folder: Path, working: Path, request: str) -> MaskedLanguageResult | None:
    """Return what the same call has left, None for a folder to begin or go on in."""
    record = folder / MaskedLanguageResult.file_name
    if record.is_file():
        done = MaskedLanguageResult.load(record)
        if done.request == request:
            return done
    elif not folder.exists() or working.is_dir() or not any(folder.iterdir()):
        return None
    raise RecordError(
        arrived=f"{folder} holds something else than this pretraining",
        expected="a new folder, or that of the same texts, checkpoint and options",
        action="name another folder, or delete this one",
    )
