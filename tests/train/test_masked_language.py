"""Further pretraining: it learns, leaves a whole checkpoint, and goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification

from hf_transfer_plugin import MaskedLanguageResult, TransferError, masked_language_pretraining
from hf_transfer_plugin.train import masked_language
from tests.tiny_runs import image_checkpoint, text_checkpoint
from tests.train.masked_checkpoints import encoder, patterns

TEXTS = patterns(96)


def _pretrain(checkpoint: Path | str, folder: Path, **options: Any) -> MaskedLanguageResult:
    given = {"epochs": 4, "learning_rate": 1e-2, "batch_size": 16, "max_length": 16, **options}
    return masked_language_pretraining(str(checkpoint), TEXTS, folder, **given)


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta"])
def test_it_learns_and_the_whole_checkpoint_loads(kind: str, tmp_path: Path) -> None:
    start = encoder(tmp_path / "start", kind)
    found = _pretrain(start, tmp_path / "further")
    assert found.after < found.before - 0.2 and found.fresh_head
    assert found.after == min(point.validation_loss for point in found.curve)
    assert (found.texts, found.validation_texts, found.model_type) == (86, 10, kind)
    assert {path.name for path in (tmp_path / "further").iterdir()} >= {
        "config.json",
        "masked_language.json",
        "model.safetensors",
        "tokenizer.json",
    }
    missing = {
        auto: auto.from_pretrained(tmp_path / "further", output_loading_info=True)[1]
        for auto in (AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoModel)
    }
    assert not missing[AutoModelForMaskedLM]["missing_keys"]
    heads = {
        key.split(".")[0] for key in missing[AutoModelForSequenceClassification]["missing_keys"]
    }
    assert heads <= {"classifier", "pre_classifier"}
    assert not missing[AutoModel]["missing_keys"]
    before, after = (AutoModel.from_pretrained(tmp_path / each) for each in ("start", "further"))
    moved = [
        name
        for name, value in after.state_dict().items()
        if not torch.equal(value, before.state_dict()[name])
    ]
    assert moved and not [name for name in moved if "pooler" in name]


def test_one_with_a_head_goes_on_from_it(tmp_path: Path) -> None:
    first = _pretrain(encoder(tmp_path / "start"), tmp_path / "first")
    second = _pretrain(tmp_path / "first", tmp_path / "second", epochs=1, seed=1)
    assert not second.fresh_head and second.before < first.before - 0.2
    pooler = "bert.pooler.dense.weight"
    one, other = (load_file(tmp_path / f / "model.safetensors") for f in ("first", "second"))
    assert torch.equal(one[pooler], other[pooler])


def test_a_stopped_call_goes_on_and_a_finished_one_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = encoder(tmp_path / "start")
    whole = _pretrain(start, tmp_path / "whole")

    class Stopping(masked_language.ProgressBarCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 14:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(masked_language, "ProgressBarCallback", Stopping)
        with pytest.raises(KeyboardInterrupt):
            _pretrain(start, tmp_path / "stopped")
    assert [path.name.split("-")[0] for path in (tmp_path / "stopped").iterdir()] == ["training"]
    resumed = _pretrain(start, tmp_path / "stopped")
    assert resumed.curve == whole.curve
    one, other = (load_file(tmp_path / f / "model.safetensors") for f in ("whole", "stopped"))
    assert all(torch.equal(one[name], other[name]) for name in one)

    monkeypatch.setattr(masked_language, "_trainer", None)
    assert _pretrain(start, tmp_path / "stopped") == resumed
    with pytest.raises(TransferError, match="holds something else"):
        _pretrain(start, tmp_path / "stopped", epochs=5)


def test_it_ends_when_the_loss_no_longer_falls(tmp_path: Path) -> None:
    found = _pretrain(
        encoder(tmp_path / "start"), tmp_path / "out", epochs=30, learning_rate=0.5, patience=1
    )
    assert len(found.curve) < 30
    assert found.after == min(point.validation_loss for point in found.curve[1:])


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "image": (lambda at: _pretrain(image_checkpoint(at / "in"), at / "out"), "no masked words"),
    "mask": (lambda at: _pretrain(text_checkpoint(at / "in"), at / "out"), "no mask token"),
    "static": (lambda at: _pretrain("sample:efficientnet-lite0", at / "out"), "no masked words"),
    "empty": (
        lambda at: masked_language_pretraining(
            str(encoder(at / "in")), [*TEXTS[:19], " ", "\n"], at / "out"
        ),
        "19 texts that are not empty, of 21",
    ),
    "share": (lambda at: _pretrain("x", at / "out", mask_share=0.0), "mask_share=0.0"),
    "epochs": (lambda at: _pretrain("x", at / "out", epochs=0), "epochs=0"),
    "rate": (lambda at: _pretrain("x", at / "out", learning_rate=0.0), "learning_rate=0.0"),
    "folder": (lambda at: _pretrain(encoder(at / "out"), at / "out"), "holds something else"),
}


@pytest.mark.parametrize("call, words", BAD.values(), ids=BAD)
def test_what_does_not_fit(call: Callable[[Path], Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(TransferError) as caught:
        call(tmp_path)
    assert words in str(caught.value)
    assert not (tmp_path / "out" / "masked_language.json").exists()
