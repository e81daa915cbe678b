"""A network of several tasks: heads apart, everything else shared, gradients as they should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification

from hf_transfer_plugin.adapt.adapters import apply_adapter, merge_adapter
from hf_transfer_plugin.adapt.multitask import build_multitask, plain_model, state_of
from hf_transfer_plugin.checkpoints import Checkpoint, without_bars
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.layers import layer_groups
from tests.adapt.multitask.cases import CLASSES, NETWORKS, batch, build, save

Grads = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


@pytest.mark.parametrize(
    ("name", "adapter"), [*((name, None) for name in NETWORKS), ("bert", "lora"), ("timm", "lora")]
)
def test_each_task_is_a_plain_classifier(
    name: str, adapter: str | None, folder: Path, tmp_path: Path
) -> None:
    """Heads apart, one network; what is saved for a task gives the logits of the whole."""
    model: Any = build(name, folder)
    head = layer_groups(model).head
    assert head is not None and len(head.parameter_names) == 6 * len(head.module_names[:1]) * (
        1 + (name == "distilbert")
    )
    if adapter is not None:
        model = apply_adapter(model, adapter)
    inputs = batch(model)
    (loss := model.train()(**inputs).loss).backward()
    assert loss > 0 and all(p.grad is not None for p in model.parameters() if p.requires_grad)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight -= 0.1 * weight.grad
        logits = model.eval()(**inputs).logits
    whole = model if adapter is None else merge_adapter(model)
    tasks, _ = inputs.pop("task_labels"), inputs.pop("labels")
    images = "pixel_values" in inputs
    auto: Any = AutoModelForImageClassification if images else AutoModelForSequenceClassification
    for number, (task, classes) in enumerate(CLASSES.items()):
        own = tasks == number
        with without_bars():
            plain_model(whole, task).save_pretrained(tmp_path / task)
            loaded, report = auto.from_pretrained(tmp_path / task, output_loading_info=True)
        assert not any(report.values()) and list(loaded.config.id2label.values()) == list(classes)
        with torch.no_grad():
            alone = loaded.eval()(**{key: each[own] for key, each in inputs.items()}).logits
        torch.testing.assert_close(alone, logits[own][:, : len(classes)], rtol=1e-5, atol=1e-6)
        assert (logits[own][:, len(classes) :] == torch.finfo(logits.dtype).min).all()


def test_heads_are_those_of_each_task_alone(folder: Path) -> None:
    """Drawn with the same seed, so that a task and its control begin with the same weights."""
    model = build_multitask(str(save("bert", folder)), "text-classification", CLASSES, seed=7)
    for task, classes in CLASSES.items():
        torch.manual_seed(7)
        alone: Any = Checkpoint(str(folder / "bert")).classifier("text-classification", classes)
        for name, tensor in plain_model(model, task).state_dict().items():
            assert torch.equal(tensor, alone.state_dict()[name]), name


def _gradients(model: Any, loss: torch.Tensor) -> Grads:
    model.zero_grad()
    loss.backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def _by_the_paper(model: Any, inputs: dict[str, torch.Tensor], orders: list[list[int]]) -> Grads:
    """Compute the gradients of each task alone, and project them as the algorithm is written."""
    heads = set(layer_groups(model).head.parameter_names)  # type: ignore[union-attr]
    alone = []
    for task in range(len(CLASSES)):
        own = inputs["task_labels"] == task
        loss = model(**{key: each[own] for key, each in inputs.items()}).loss
        alone.append(_gradients(model, loss * own.sum() / len(own)))
    shared = [name for name in alone[0] if name not in heads]
    flat = [torch.cat([each[name].flatten() for name in shared]) for each in alone]
    total = torch.zeros_like(flat[0])
    for task, order in enumerate(orders):
        gradient = flat[task].clone()
        for other in order:
            product = gradient @ flat[other]
            if product < 0:
                gradient -= product / (flat[other] @ flat[other]) * flat[other]
        total += gradient
    found = {name: each for one in alone for name, each in one.items() if name in heads}
    pieces = total.split([alone[0][name].numel() for name in shared])
    return found | {n: p.view_as(alone[0][n]) for n, p in zip(shared, pieces, strict=True)}


@pytest.mark.parametrize("adapter", [None, "lora"])
def test_pcgrad_gives_the_gradients_of_the_paper(adapter: str | None, folder: Path) -> None:
    model: Any = build("calm_bert", folder, pcgrad=True)
    if adapter is not None:
        model = apply_adapter(model, adapter)
    with torch.no_grad():  # far from the flat place of small weights, where tasks disagree
        for weight in model.parameters():
            if weight.requires_grad:
                weight += 0.3 * torch.randn(weight.shape, generator=torch.manual_seed(1))
    inputs, state = batch(model), state_of(model)
    state.begin_step(4)
    orders = state.next_orders()
    state.begin_step(4)
    loss = model.train()(**inputs).loss
    projected = _gradients(model, loss)
    pairs = state.tallies.take()
    assert 0 < pairs["pcgrad/conflicts"] <= pairs["pcgrad/pairs"] == 3
    state.pcgrad = False
    plain = model(**inputs).loss
    torch.testing.assert_close(loss, plain)
    assert any((projected[n] - g).abs().max() > 1e-3 for n, g in _gradients(model, plain).items())
    wanted = _by_the_paper(model, inputs, orders)
    assert projected.keys() == wanted.keys()
    for name, gradient in projected.items():
        torch.testing.assert_close(gradient, wanted[name], rtol=1e-3, atol=1e-5)


def test_batch_norm_reads_all_tasks_at_once_under_pcgrad(folder: Path) -> None:
    """So that its statistics are those with which it will be used."""
    found = []
    for pcgrad in (False, True):
        model = build("resnet", folder, pcgrad=pcgrad).train()
        model(**batch(model)).loss.backward()
        found.append(dict(model.named_buffers()))
    assert found[0] and all(torch.equal(each, found[1][name]) for name, each in found[0].items())


ERRORS: dict[str, tuple[Any, str]] = {
    "one task": ([("a", "xy")], "one task alone: a"),
    "the same name": ([("a", "xy"), ("b", "xy"), ("a", "pq")], "two tasks of the name 'a'"),
    "a name of a path": ([("a", "xy"), ("b/c", "xy")], "'b/c'"),
    "the name of the mean": ([("a", "xy"), ("mean", "xy")], "'mean'"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_names_that_do_not_fit(case: str) -> None:
    tasks, words = ERRORS[case]
    with pytest.raises(ConfigError, match=words):
        build_multitask("sample:minilm", "text-classification", tasks)


def test_what_a_batch_and_a_task_must_be(folder: Path) -> None:
    model: Any = build("bert", folder)
    with pytest.raises(ConfigError, match="without task_labels"):
        model(input_ids=torch.ones(2, 8, dtype=torch.long))
    with pytest.raises(ConfigError, match="task 'weather'"):
        plain_model(model, "weather")
    with pytest.raises(ConfigError, match="which has one head"):
        state_of(plain_model(model, "mood"))
