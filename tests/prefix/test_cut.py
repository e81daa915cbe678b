"""Where each architecture can be cut, that the cut is exact, and what is refused and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import numpy as np
import pytest
import torch
import transformers as tf
from torch import nn
from transformers import DataCollatorWithPadding, default_data_collator

from hf_transfer_plugin.callbacks.pinning import Pins
from hf_transfer_plugin.prefix.cut import Cut, Tap, capture, feeding
from hf_transfer_plugin.prefix.determinism import NotCacheable
from hf_transfer_plugin.prefix.finding import find_cut
from hf_transfer_plugin.prefix.leaf_shapes import BatchSize
from hf_transfer_plugin.prefix.probes import make_probes, trial
from hf_transfer_plugin.prefix.row_source import RowSource
from hf_transfer_plugin.prefix.unit_calls import LayerUnits
from hf_transfer_plugin.prefix.verifying import is_close
from tests.callbacks.prefix_cases import LENGTHS, stir
from tests.layer_cases import CASES, Case
from tests.prefix.row_cases import tokenizer

POSITIONS = ("first", "middle", "last")
OTHERS = "depends on the other rows of its batch"
#: What is refused, and a part of the reason; everything else can be cut.
REFUSED = {
    ("t5", "first"): "nothing is frozen before encoder.block.0",
    # One dropout serves its first and its last layer, and the last one trains.
    ("t5", "middle"): "dropout is on",
    ("bart", "first"): "nothing is frozen before model.encoder.embed_positions",
    # Its embeddings are called a second time, for the decoder, amid the encoder's calls.
    ("bart", "last"): OTHERS,
    # The towers do not run one after the other as their names do.
    ("clip", "first"): "nothing is frozen before vision_model.embeddings",
    ("clip", "middle"): "nothing is frozen before vision_model.embeddings",
    ("clip", "last"): "vision_model_output']['last_hidden_state differ",
}
SIZES = {"timm-inception_v3": 80, "timm-legacy_xception": 48, "timm-xception41": 48}


def source(kind: str, size: int = 32, lengths: Iterable[int] = LENGTHS) -> RowSource:
    draw = torch.Generator().manual_seed(0)
    rows: list[dict[str, Any]] = []
    for length in lengths:
        row: dict[str, Any] = {}
        if kind in ("text", "both", "pair"):
            row["input_ids"] = torch.randint(5, 40, (length,), generator=draw).tolist()
            row["attention_mask"] = [1] * length
        if kind in ("image", "both", ""):
            row["pixel_values"] = torch.randn(3, size, size, generator=draw)
        rows.append(row)

    def collate(items: list[Any]) -> Any:
        if kind in ("image", ""):
            return default_data_collator(items)
        texts = [{k: v for k, v in item.items() if k != "pixel_values"} for item in items]
        batch = dict(DataCollatorWithPadding(tokenizer())(texts))
        if kind == "pair":
            batch["decoder_input_ids"] = batch["input_ids"].clone()
        if kind == "both":
            batch["pixel_values"] = torch.stack([item["pixel_values"] for item in items])
        return batch

    return RowSource(rows, collate)


def built(case: Case) -> tuple[nn.Module, int]:
    """Return a model that can run, and the size of its images."""
    torch.manual_seed(0)
    size = SIZES.get(case.id, 32)
    if case.inputs:
        model = case.build()
    else:
        name = case.id.removeprefix("timm-")
        narrow = {"mlp_ratio": 0.01} if name.startswith("vgg") else {}
        config = tf.TimmWrapperConfig(  # type: ignore[call-arg]
            architecture=name,
            pretrained_cfg={"input_size": (3, size, size)},
            num_labels=3,
            model_args=narrow,
        )
        model = tf.TimmWrapperForImageClassification(config)
    stir(model, size)
    return model, size


@contextmanager
def frozen_below(units: LayerUnits, first: str) -> Any:
    """Train the layer groups from one on; hold the others still, as a schedule does."""
    names = units.groups.names
    trained = names[names.index(first) :]
    parameters = dict(units.model.named_parameters())
    for group in units.groups:
        for name in group.parameter_names:
            parameters[name].requires_grad_(group.name in trained)
    pins = Pins("eval", False)
    frozen = [group for group in units.groups if group.name not in trained]
    pins.pin(units.model.get_submodule(m) for group in frozen for m in group.module_names)
    try:
        yield trained
    finally:
        pins.release(True)


def cut_of(model: nn.Module, rows: RowSource, trained: Iterable[str]) -> tuple[LayerUnits, Cut]:
    units = LayerUnits(model)
    probes = make_probes(rows, lambda batch: batch)
    return units, find_cut(units, trained, probes, lambda batch: model(**batch))


def stored(units: LayerUnits, cut: Cut, rows: RowSource, numbers: list[int]) -> dict[Tap, Any]:
    """Return what taps hold for a batch: each row computed alone, then padded with zeros."""
    lengths = rows.lengths()
    whole = 0 if lengths is None else int(lengths[numbers].max())
    found: dict[Tap, list[torch.Tensor]] = {tap: [] for tap in cut.taps}
    for number in numbers:
        alone = rows.batch([number])
        with torch.no_grad(), trial(units.model, training=False):
            values = capture(units, cut.taps, partial(units.model, **alone))
        for tap, value in values.items():
            row = value[0]
            for dim, size in enumerate(tap.shape.of_row() or ()):
                if size is None:
                    short = [0, 0] * (row.ndim - 1 - dim) + [0, whole - row.shape[dim]]
                    row = nn.functional.pad(row, short)
            found[tap].append(row)
    return {tap: torch.stack(values) for tap, values in found.items()}


def answers(outputs: Any, mask: torch.Tensor | None) -> list[torch.Tensor]:
    """Return what a model gives, but for what it gives to padding."""
    found = [v for v in outputs.values() if isinstance(v, torch.Tensor) and v.is_floating_point()]
    if mask is None:
        return found
    return [v[mask.bool()] if v.shape[:2] == mask.shape else v for v in found]


def assert_replays(units: LayerUnits, cut: Cut, rows: RowSource, numbers: list[int]) -> None:
    """Feed other rows than those on which the cut was found, in training and in evaluation."""
    batch, lengths = rows.batch(numbers), rows.lengths()
    mask = batch.get("attention_mask")
    size = BatchSize(len(numbers), 0 if lengths is None else int(lengths[numbers].max()))

    def run() -> list[torch.Tensor]:
        return answers(units.model(**batch), mask)

    with torch.no_grad(), trial(units.model, training=False):
        together = capture(units, cut.taps, run)
    # BatchNorm of trained layers makes much of rounding: there each row as in its batch.
    for training, values in ((True, together), (False, stored(units, cut, rows, numbers))):
        ran: set[str] = set()
        owns = {path: units.modules[path].forward for path in cut.paths}
        for path in cut.paths:
            units.modules[path].forward = partial(_noted, ran, path, owns[path])
        try:
            with torch.no_grad(), trial(units.model, training=training, seed=5):
                whole = run()
            assert ran == set(cut.paths)
            ran.clear()
            with (
                torch.no_grad(),
                trial(units.model, training=training, seed=5),
                feeding(units, cut, values, size, torch.device("cpu")),
            ):
                replayed = run()
        finally:
            for path in cut.paths:
                del units.modules[path].forward
        later = {call.path for call in cut.skipped if call.runs}
        # A module that is called below and above the boundary runs above it.
        assert not {path for path in ran - later if units.has_weights(path)}
        assert whole
        for one, two in zip(replayed, whole, strict=True):
            # Rounding of deep random networks depends on the number of threads.
            assert is_close(one, two, loose=10), float((one - two).abs().max())


def _noted(ran: set[str], path: str, forward: Any, *args: Any, **kwargs: Any) -> Any:
    ran.add(path)
    return forward(*args, **kwargs)


@pytest.mark.parametrize("name", CASES)
def test_an_architecture(name: str) -> None:
    model, size = built(CASES[name])
    rows, units = source(CASES[name].inputs, size), LayerUnits(model)
    names = units.groups.names
    places = (names[1], names[len(names) // 2], names[-1])
    for position, first in zip(POSITIONS, places, strict=True):
        with frozen_below(units, first) as trained:
            reason = REFUSED.get((name, position))
            if reason is not None:
                with pytest.raises(NotCacheable) as refused:
                    cut_of(model, rows, trained)
                assert reason in refused.value.reason
                continue
            _, cut = cut_of(model, rows, trained)
            skipped = {units.group_of[path] for path in cut.paths if units.has_weights(path)}
            assert skipped and not skipped & set(trained)
            assert cut.taps and cut.paths
            assert all(tap.shape.of_row() is not None for tap in cut.taps)
            assert_replays(units, cut, rows, [10, 1, 11, 7] if CASES[name].inputs else [1, 10])


def test_table_is_whole() -> None:
    assert len(CASES) == 34
    assert len(REFUSED) == 7 and {name for name, _ in REFUSED} == {"t5", "bart", "clip"}
    assert {position for _, position in REFUSED} == set(POSITIONS)
    assert set(SIZES) < set(CASES)


class Block(nn.Module):
    def __init__(self, change: Callable[[torch.Tensor], torch.Tensor] | None = None) -> None:
        super().__init__()
        self.inner, self.change = nn.Linear(8, 8), change

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = cast(torch.Tensor, self.inner(x))
        return x if self.change is None else self.change(x)


class Writes(nn.Module):
    """Writes into what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.inner(x.relu_()))


class Tower(nn.Module):
    """Embeddings that are a list, three layers and a head."""

    def __init__(self, *layers: nn.Module, between: Callable[..., Any] | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embeddings = nn.ModuleList([nn.Embedding(50, 8), nn.LayerNorm(8)])
        self.layers = nn.ModuleList(layers or (Block(), Block(), Block()))
        self.head = nn.Linear(8, 3)
        self.between = between

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        x = self.embeddings[1](self.embeddings[0](input_ids))
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if self.between is not None and number == 0:
                x = self.between(self, x)
        mask = attention_mask[..., None]
        return {"logits": self.head((x * mask).sum(1) / mask.sum(1))}


class Two(nn.Module):
    """Reads two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(16, 8)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.inner(torch.cat([x, y], -1)))


class Bypass(Tower):
    """The last layer reads the first one, too."""

    def __init__(self) -> None:
        super().__init__(Block(), Block(), Two())

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        one = self.layers[0](self.embeddings[1](self.embeddings[0](input_ids)))
        two = self.layers[1](one)
        return {"logits": self.head(self.layers[2](two, one)[:, 0])}


class Around(Tower):
    """The first layer reaches the head around the last one, by an addition of the model."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        one = self.layers[0](self.embeddings[1](self.embeddings[0](input_ids)))
        two = self.layers[1](one)
        return {"logits": self.head((self.layers[2](two) + one)[:, 0])}


def own(model: nn.Module, first: str) -> tuple[LayerUnits, Cut, RowSource]:
    units, rows = LayerUnits(model), source("text")
    with frozen_below(units, first) as trained:
        _, cut = cut_of(model, rows, trained)
        assert_replays(units, cut, rows, [10, 1, 11, 7])
    return units, cut, rows


def refusal(model: nn.Module, first: str, rows: RowSource | None = None) -> str:
    units = LayerUnits(model)
    with frozen_below(units, first) as trained, pytest.raises(NotCacheable) as refused:
        cut_of(model, rows or source("text"), trained)
    return refused.value.reason


def test_a_unit_that_is_a_list_is_its_parts() -> None:
    units, cut, _ = own(Tower(), "layers.1")
    assert cut.paths == ("embeddings.0", "embeddings.1", "layers.0")
    assert [units.group_of[path] for path in cut.paths] == ["embeddings", "embeddings", "layers.0"]
    assert [(tap.call, tap.side) for tap in cut.taps] == [(2, "returned")]


@pytest.mark.parametrize("first", ["layers.1", "layers.2", "head"])
def test_layers_that_write_in_place(first: str) -> None:
    _, cut, _ = own(Tower(Writes(), Writes(), Writes()), first)
    assert cut.group == first and len(cut.taps) == 1


def test_a_layer_that_reads_two_frozen_ones() -> None:
    _, cut, _ = own(Bypass(), "layers.2")
    assert {(tap.call, tap.side) for tap in cut.taps} == {(3, "returned"), (2, "returned")}
    _, cut, _ = own(Bypass(), "layers.1")
    assert [(tap.call, tap.side) for tap in cut.taps] == [(2, "returned")]


def test_a_frozen_layer_that_is_added_to_a_trained_one() -> None:
    """What the head is given mixes both: kept as it is, no gradient would pass."""
    for first in ("layers.1", "layers.2"):
        assert "gradients differ" in refusal(Around(), first)
    _, cut, _ = own(Around(), "head")
    assert [(tap.call, tap.side) for tap in cut.taps] == [(5, "given")]


def dropped(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return nn.functional.dropout(x, 0.5, training=model.training)


def test_dropout_between_frozen_layers_moves_the_boundary_below_it() -> None:
    _, cut, _ = own(Tower(between=dropped), "head")
    assert cut.boundary == "layers.0" and cut.paths == ("embeddings.0", "embeddings.1")
    _, cut, _ = own(Tower(), "head")
    assert cut.boundary == "head"


class Dropped(Tower):
    """Dropout right after its embeddings."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        x = dropped(self, self.embeddings[0](input_ids))
        x = self.embeddings[1](x)
        for layer in self.layers:
            x = layer(x)
        return {"logits": self.head(x[:, 0])}


def test_dropout_in_frozen_layers_is_named() -> None:
    """Without a callback that holds frozen layers still."""
    model: Any = CASES["bert"].build()
    model.bert.requires_grad_(False)
    with pytest.raises(NotCacheable) as refused:
        cut_of(model, source("text"), ["head"])
    assert "dropout is on" in refused.value.reason
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    _, cut = cut_of(model, source("text"), ["head"])
    assert cut.boundary == "classifier"


def test_dropout_after_the_first_module() -> None:
    assert "dropout is on" in refusal(Dropped(), "head")


def test_normalization_by_the_batch_in_frozen_layers() -> None:
    model: Any = CASES["resnet"].build()
    stir(model)
    model.resnet.requires_grad_(False)
    with pytest.raises(NotCacheable) as refused:
        cut_of(model, source("image"), ["head"])
    assert "batch normalization" in refused.value.reason and OTHERS in refused.value.reason


def test_rows_that_read_one_another() -> None:
    model = Tower(Block(lambda x: x - x.mean(0)), Block(), Block())
    assert OTHERS in refusal(model, "head")


def test_rows_that_read_their_padding() -> None:
    model = Tower(Block(lambda x: x + x.sum(1, keepdim=True)), Block(), Block())
    assert OTHERS in refusal(model, "head")


def test_one_value_for_the_whole_batch() -> None:
    model = Tower(Block(lambda x: x.mean()[None]), Block(lambda x: x + 0), Block())
    model.layers[1].inner = nn.Linear(1, 8)
    assert "is not one value for each row" in refusal(model, "layers.1")


def test_frozen_above_and_trained_below() -> None:
    model = Tower()
    with pytest.raises(NotCacheable, match="nothing is frozen before embeddings"):
        cut_of(model, source("text"), ["embeddings"])


def left(model: nn.Module, positions: bool) -> RowSource:
    lengths = (9, 4, 7, 6, 5, 8, 3, 4, 5, 6)
    draw = torch.Generator().manual_seed(0)
    rows = [{"input_ids": torch.randint(5, 40, (n,), generator=draw).tolist()} for n in lengths]
    pad = DataCollatorWithPadding(tokenizer("left"))

    def collate(items: list[Any]) -> Any:
        batch = dict(
            pad([{**item, "attention_mask": [1] * len(item["input_ids"])} for item in items])
        )
        if positions:
            batch["position_ids"] = (batch["attention_mask"].cumsum(1) - 1).clamp(min=0)
        return batch

    return RowSource(rows, collate)


def test_padding_on_the_left_moves_the_positions_of_a_row() -> None:
    model: Any = CASES["gpt2"].build()
    model.config.pad_token_id = 0
    assert OTHERS in refusal(model, "h.1", left(model, False))


def test_padding_on_the_left_with_positions() -> None:
    model: Any = CASES["gpt2"].build()
    units, rows = LayerUnits(model), left(model, True)
    assert rows.rules.left
    with frozen_below(units, "h.1") as trained:
        _, cut = cut_of(model, rows, trained)
    assert cut.boundary == "transformer.h.1"


def test_probes_never_leave_open_what_a_dimension_follows() -> None:
    draw = np.random.default_rng(0)
    tried = 0
    for _ in range(60):
        lengths = draw.integers(1, draw.integers(2, 12), size=draw.integers(2, 9))
        rows = source("text", lengths=lengths.tolist())
        if rows.lengths() is None:
            continue
        tried += 1
        probes = make_probes(rows, lambda batch: batch)
        one, two = probes.first.size, probes.second.size
        assert one.rows != two.rows
        if one.length != two.length:
            assert one.rows * two.length != two.rows * one.length
        assert probes.alone.rows == probes.first.rows[-1:]
    assert tried > 30
