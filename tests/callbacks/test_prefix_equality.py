"""Each classifier trained with the cache ends with the weights of a run without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from hf_transfer_plugin import FreezingSchedule
from hf_transfer_plugin.prefix.unit_calls import LayerUnits
from tests.callbacks.prefix_cases import (
    CLASSIFIERS,
    ROWS,
    Recipe,
    Result,
    assert_equal,
    build,
    distance,
    model_of,
    run,
)
from tests.callbacks.tiny import tensors

SCHEDULES: dict[str, Callable[[], FreezingSchedule]] = {
    "linear_probe": FreezingSchedule.linear_probe,
    "top_layers": partial(FreezingSchedule.top_layers, 1),
}
#: The first module that runs, under each of the schedules.
BOUNDARIES = {
    "bert": ("bert.pooler", "bert.encoder.layer.1"),
    "bert-1": ("bert.pooler", "bert.encoder.layer.0"),
    "roberta": ("classifier", "roberta.encoder.layer.1"),
    "distilbert": ("pre_classifier", "distilbert.transformer.layer.1"),
    "deberta-v2": ("pooler", "deberta.encoder.layer.1"),
    "modernbert": ("model.final_norm", "model.layers.1"),
    "gpt2": ("transformer.ln_f", "transformer.h.1"),
    "llama": ("model.norm", "model.layers.1"),
    "opt": ("model.decoder.final_layer_norm", "model.decoder.layers.1"),
    "vit": ("vit.layernorm", "vit.layers.1"),
    "dinov2": ("dinov2.layernorm", "dinov2.encoder.layer.1"),
    "swin": ("swin.layernorm", "swin.encoder.layers.1.blocks.1"),
    "convnext": ("convnext.layernorm", "convnext.encoder.stages.3.downsampling_layer.0"),
    "resnet": ("classifier", "resnet.encoder.stages.3.layers.0"),
    "mobilenet-v2": ("mobilenet_v2.conv_1x1", "mobilenet_v2.layer.15"),
    "efficientnet": ("efficientnet.encoder.top_conv", "efficientnet.encoder.blocks.9"),
    "clip-image": ("vision_model.post_layernorm", "vision_model.encoder.layers.1"),
    "timm-efficientnet": ("timm_model.conv_head", "timm_model.blocks.4.0"),
}
CASES = [
    (name, schedule, boundary)
    for name, boundaries in BOUNDARIES.items()
    for schedule, boundary in zip(SCHEDULES, boundaries, strict=True)
]
SMALL_MAPS = ("efficientnet", "mobilenet-v2", "timm-efficientnet")
# The norm of the relative positions is one tensor for the whole batch: it runs each time.
RUNS = {("deberta-v2", "top_layers"): {"deberta.encoder.LayerNorm"}}


def recipe(name: str, schedule: str) -> Recipe:
    classes = 2 if name == "timm-efficientnet" else 3
    return Recipe(
        partial(build, name),
        lambda _: SCHEDULES[schedule](),
        CLASSIFIERS[name],
        # Weights before a batch normalization get gradients of rounding alone, and AdamW gives
        # these the same step as any other.
        {"optim": "sgd", "learning_rate": 0.01} if name in SMALL_MAPS else {},
        classes=classes,
    )


def rounding(case: Recipe, plain: Result, folder: Path) -> float:
    """Return how far a run ends whose convolutions lie in another layout in memory."""
    own = case.model
    other = replace(case, model=lambda: own().to(memory_format=torch.channels_last))
    found = run(other, folder / "other", False)
    lost = max(abs(a - b) for a, b in zip(plain.losses, found.losses, strict=True))
    return max(distance(plain, found), lost)


@pytest.mark.parametrize(("name", "schedule", "boundary"), CASES)
def test_a_classifier(name: str, schedule: str, boundary: str, tmp_path: Path) -> None:
    case = recipe(name, schedule)
    before = tensors(case.model())
    plain, cached = run(case, tmp_path, False), run(case, tmp_path, True)
    # Random normalizations of maps of few pixels make much of rounding.
    floor = 4 * rounding(case, plain, tmp_path) if name in SMALL_MAPS else 0.0
    assert floor < 0.01
    assert_equal(plain, cached, max(1e-5, floor))
    moved = {n for n, value in before.items() if not torch.equal(value, plain.weights[n])}
    head = LayerUnits(model_of(plain.trainer)).groups[-1]
    assert moved & set(head.parameter_names)
    assert cached.cache is not None
    (use,) = cached.cache.uses
    assert (use.step, use.before, use.reason, use.rows) == (0, boundary, "", ROWS)
    assert use.bytes > 0

    # Six steps; three batches of evaluation and three of prediction.
    assert [len(plain.calls.steps), len(cached.calls.steps)] == [6, 6]
    assert all(plain.calls.steps) and all(plain.calls.predictions)
    assert cached.calls.fills[0] >= plain.calls.steps[0]
    runs = RUNS.get((name, schedule), set())
    assert set.union(*cached.calls.steps) == runs
    assert len(cached.calls.predictions) == len(plain.calls.predictions) == 6
    # Each fill comes before the first batch.
    for first in (0, 3):
        assert cached.calls.predictions[first] > runs
        assert set.union(*cached.calls.predictions[first + 1 : first + 3]) == runs


def test_table_is_whole() -> None:
    assert BOUNDARIES.keys() == CLASSIFIERS.keys()
    assert len(CASES) == 2 * 18 == 36
