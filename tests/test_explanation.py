"""An explanation as table and as picture."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf
from PIL import Image
from rich.console import Console
from torch import nn
from transformers import TrainingArguments

from hf_transfer_plugin import Explanation, FreezingSchedule, Phase, explain
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.explanation_picture import drawn_bounds
from hf_transfer_plugin.explanation_table import compact_groups
from tests.callbacks.tiny import bert, lora, resnet

FROZEN = (0xE6, 0xE8, 0xEB)
GROUPS = ("embeddings", "layer.0", "layer.1", "layer.2", "neck", "head")


def _told(model: nn.Module, schedule: FreezingSchedule, **changed: Any) -> Explanation:
    keys = {"max_steps": 12, "learning_rate": 1e-2, "use_cpu": True, **changed}
    return explain(model, schedule, TrainingArguments(output_dir="unused", **keys))


COMPACT = {
    "all": (GROUPS, "all"),
    "top": (GROUPS[2:], "layer.1 up"),
    "head": (GROUPS[4:], "neck, head"),
    "one": (GROUPS[1:2], "layer.0"),
    "bottom": (GROUPS[:3], "embeddings, layer.0-1"),
    "gap": (("layer.0", "layer.2", "head"), "layer.0, layer.2, head"),
    "base": (("head", "base:layer.0", "base:layer.1"), "head; weights under adapters of layer.0-1"),
}


@pytest.mark.parametrize("name", COMPACT)
def test_groups_in_few_words(name: str) -> None:
    assert len(COMPACT) == 7
    names, words = COMPACT[name]
    assert compact_groups(names, GROUPS) == words


def _printed(told: Explanation, width: int) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(told)
    return console.export_text()


def test_table_of_rich_holds_rows_notes_and_findings() -> None:
    told = _told(bert(), FreezingSchedule.gradual_unfreezing(2).with_rates(decay=0.5))
    lines = _printed(told, 160).splitlines()
    (row,) = (line for line in lines if line.startswith("top 2"))
    for cell in ("layer.0 up", "6-9", "3.7 k", "81.63%", "0.0025 to 0.01", "93%"):
        assert cell in row
    assert any(line.startswith("- dropout is off") for line in map(str.strip, lines))
    assert all(finding in str(told) for finding in told.findings)
    assert max(map(len, _printed(told, 80).splitlines())) <= 80


def test_text_marks_what_validation_decides() -> None:
    text = str(_told(bert(), FreezingSchedule.lp_ft().with_plateau(2), eval_strategy="steps"))
    assert " 0-≤12 " in text and " ?-12 " in text and "whole run" not in text


def _deep_bert() -> nn.Module:
    with torch.device("meta"):
        config = tf.BertConfig(
            num_hidden_layers=11, hidden_size=16, num_attention_heads=2, intermediate_size=16
        )
        return tf.BertForSequenceClassification(config)


def _efficientnet() -> nn.Module:
    with torch.device("meta"):
        return tf.EfficientNetForImageClassification(tf.EfficientNetConfig(depth_coefficient=2.2))


def _single() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 2))


CHAIN = FreezingSchedule.chain_thaw(2)
LONG = FreezingSchedule((Phase(("head",), until_step=1, name="a" * 90), Phase(("*",), name="日本")))
# name -> (model, schedule, groups, height in inches)
PICTURES: dict[str, tuple[Any, FreezingSchedule, int, float]] = {
    "1 group": (_single, FreezingSchedule.full(), 1, 1.75 + 0.5 + 0.95),
    "5 groups": (bert, FreezingSchedule.lp_ft(), 5, 1.75 + 5 * 0.36 + 0.95),
    "drawn": (bert, FreezingSchedule.lisa(1, every=3), 5, 1.75 + 5 * 0.36 + 0.95),
    "waits": (bert, CHAIN.with_plateau(1), 5, 1.75 + 5 * 0.36),
    "long names": (bert, LONG, 5, 1.75 + 5 * 0.36 + 0.75 + 0.95),
    "adapters": (lora, FreezingSchedule.adapters_first(), 5, 1.75 + 10 * 0.36 + 0.95),
    "images": (resnet, FreezingSchedule.full(), 4, 1.75 + 4 * 0.36 + 0.95),
    "14 groups, 13 phases": (
        _deep_bert,
        FreezingSchedule.chain_thaw(11),
        14,
        1.75 + 14 * 0.36 + 0.75 + 0.95,
    ),
    "42 groups": (_efficientnet, FreezingSchedule.top_layers(3), 42, 1.75 + 42 * 0.19 + 0.95),
}


@pytest.mark.filterwarnings("error:Glyph")
@pytest.mark.parametrize("name", PICTURES)
def test_picture(name: str, tmp_path: Path) -> None:
    assert len(PICTURES) == 9
    build, schedule, groups, inches = PICTURES[name]
    told = _told(build(), schedule, max_steps=26, eval_strategy="steps")
    assert len(told.groups) == groups
    path = told.picture(tmp_path / "new" / "schedule.png")
    image = Image.open(path).convert("RGB")
    assert image.size == (1200, pytest.approx(200 * inches, abs=1))
    counted = dict((color, count) for count, color in image.getcolors(1 << 24) or [])
    freezes = any(len(phase.rates) < len(told.phases[-1].rates) for phase in told.phases)
    freezes |= len(told.phases[-1].rates) < groups
    assert (counted.get(FROZEN, 0) > 2000) is freezes
    assert path.read_bytes() == told.picture(tmp_path / "again.png").read_bytes()


def test_curve_of_the_rate() -> None:
    told = _told(bert(), FreezingSchedule.lp_ft(0.5).with_rates(curve="linear"), warmup_steps=3)
    assert told.curve == tuple((step, 1 - step % 6 / 6) for step in range(12))
    told = _told(bert(), FreezingSchedule.lp_ft(0.5), warmup_steps=3)
    expected = [(step, step / 3 if step < 3 else (12 - step) / 9) for step in range(12)]
    assert [list(point) for point in told.curve] == [pytest.approx(point) for point in expected]
    unknown = _told(
        bert(),
        FreezingSchedule.full(),
        lr_scheduler_type="reduce_lr_on_plateau",
        eval_strategy="steps",
    )
    assert unknown.curve == ()


def test_phases_of_unknown_length_are_drawn_equally_long() -> None:
    told = _told(bert(), CHAIN.with_plateau(1), eval_strategy="steps")
    assert [(phase.start, phase.end) for phase in told.phases] == [(0, 12)] + 3 * [(12, 12)]
    assert drawn_bounds(told.phases, 12) == [(0, 3), (3, 6), (6, 9), (9, 12)]
    known = _told(bert(), CHAIN)
    assert drawn_bounds(known.phases, 12) == [(phase.start, phase.end) for phase in known.phases]


# name -> (file that cannot be written, what the error says)
UNWRITABLE = {
    "ending": ("schedule.jpg", "a name that ends in .png"),
    "below a file": ("file/schedule.png", "cannot write"),
    "a folder": ("folder.png", "cannot write"),
}


@pytest.mark.parametrize("name", UNWRITABLE)
def test_pictures_that_cannot_be_written(name: str, tmp_path: Path) -> None:
    assert len(UNWRITABLE) == 3
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    where, says = UNWRITABLE[name]
    with pytest.raises(ConfigError, match=says) as caught:
        _told(bert(), FreezingSchedule.full()).picture(tmp_path / where)
    assert "choose another file for the picture" in caught.value.action
