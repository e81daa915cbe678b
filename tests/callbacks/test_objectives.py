"""Every objective under every schedule, with and without adapter, on texts and images."""

from __future__ import annotations

import itertools
import logging
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import TrainerCallback

from hf_transfer_plugin import (
    FreezingCallback,
    FreezingSchedule,
    ObjectiveCallback,
    TransferError,
    prefix_cache,
)
from hf_transfer_plugin.adapt import objectives
from hf_transfer_plugin.adapt.objectives.loss_term import LossTerm
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.objective_kinds import OBJECTIVES
from tests.callbacks.objective_cases import (
    ADAPTERS,
    MEANS,
    SCHEDULES,
    STRONG,
    build,
    fitting,
    hooks_of,
    pair,
    run,
)
from tests.callbacks.tiny import changed, examples, tensors, trainer

NETWORKS = ("bert", "resnet")
CASES = list(itertools.product(OBJECTIVES, SCHEDULES, ADAPTERS, NETWORKS))
# Terms of which nothing trains under "head": BERT's pooler, which gives its features, does.
IDLE = {(name, "resnet") for name in OBJECTIVES if name not in ("l2sp", "mcc")}
IDLE |= {("delta", "bert")}
# A network without dropout.
ALWAYS_IDLE = {("r_drop", "resnet")}


def test_the_tables_are_whole() -> None:
    assert len(OBJECTIVES) == 13 and set(STRONG) == set(OBJECTIVES)
    assert len(CASES) == 12 * len(OBJECTIVES) == 156
    names = {each.name for each in _classes()}
    assert names == set(OBJECTIVES), "one class a kind"


def _classes() -> list[type[LossTerm]]:
    found = [getattr(objectives, name) for name in objectives.__all__]
    return [each for each in found if isinstance(each, type)]


def test_defaults_are_told_once() -> None:
    for each in _classes():
        assert each().record.settings == OBJECTIVES[each.name].options, each.name


def _batch(model: nn.Module) -> dict[str, torch.Tensor]:
    rows = examples(model)
    return {key: torch.stack([torch.as_tensor(row[key]) for row in rows]) for key in rows[0]}


def _passed(model: nn.Module, batch: dict[str, torch.Tensor]) -> Any:
    torch.manual_seed(2)
    return model.train()(**batch)


@pytest.fixture(scope="module")
def plain(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    """Return weights and norms of gradients of the runs without objective, and on pairs."""
    found = {}
    kinds = itertools.product((False, True), SCHEDULES, ADAPTERS, NETWORKS)
    for paired, schedule, adapter, model in kinds:
        network = build(model, adapter, sources)
        # A term of weight 0 is none.
        nothing = {"name": "mmd", "weight": 0.0} if paired else None
        done = run(network, tmp_path_factory.mktemp("plain"), nothing, schedule)
        found[paired, schedule, adapter, model] = (tensors(network), _logged(done, "grad_norm"))
    return found


def _logged(done: Any, name: str) -> list[float]:
    return [entry[name] for entry in done.state.log_history if "loss" in entry]


@pytest.mark.parametrize(("name", "schedule", "adapter", "model"), CASES)
def test_objective(
    name: str,
    schedule: str,
    adapter: str | None,
    model: str,
    plain: Any,
    sources: Path,
    tmp_path: Path,
) -> None:
    kind = fitting(name, model)
    network = build(kind, adapter, sources)
    hooks = hooks_of(network)
    evaluated = {"eval_strategy": "steps", "eval_steps": 4}
    done = run(network, tmp_path, STRONG[name], schedule, **evaluated)
    weights, norms = plain[OBJECTIVES[name].reads_domains, schedule, adapter, model]

    terms = _logged(done, "objective/loss")
    assert len(terms) == 4 and all(math.isfinite(term) for term in terms)
    moved = changed(weights, tensors(network))
    if (schedule == "head" and (name, model) in IDLE) or (name, model) in ALWAYS_IDLE:
        assert not moved, "it reads what is frozen"
    else:
        assert moved and any(terms) and _logged(done, "grad_norm") != norms
        untouched = {n for n, p in network.named_parameters() if not p.requires_grad}
        assert not moved & untouched, "what is frozen stays frozen"

    (held,) = [entry for entry in done.state.log_history if "eval_loss" in entry]
    assert held["eval_loss"] == done.evaluate()["eval_loss"], "the loss of the task"
    assert hooks_of(network) == hooks
    other, batch = build(kind, adapter, sources), _batch(network)
    other.load_state_dict(network.state_dict())
    ours, theirs = (_passed(each, batch) for each in (network, other))
    assert torch.equal(ours.loss, theirs.loss) and torch.equal(ours.logits, theirs.logits)


class _SavesFirstStep(TrainerCallback):
    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        control.should_save = state.global_step == 1


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_resumed_run_ends_like_an_uninterrupted_one(
    name: str, adapter: str | None, sources: Path, tmp_path: Path
) -> None:
    bf16 = {"bf16": adapter is None}
    whole, again = (build(fitting(name, "bert"), adapter, sources) for _ in range(2))
    first = run(whole, tmp_path, STRONG[name], "gradual", _SavesFirstStep(), **bf16)
    checkpoint = f"{tmp_path}/checkpoint-1"
    second = run(again, tmp_path / "again", STRONG[name], "gradual", resume=checkpoint, **bf16)
    assert not changed(tensors(whole), tensors(again))
    assert _logged(first, "objective/loss")[1:] == _logged(second, "objective/loss")[1:]


@pytest.mark.parametrize("name", MEANS)
@pytest.mark.parametrize("divides", [False, True])
def test_two_passes_are_one_of_twice_the_size(
    name: str, divides: bool, sources: Path, tmp_path: Path
) -> None:
    """Whether a model divides its loss by the labels of all passes (ViT), or takes no notice."""
    found = []
    for passes in (1, 2):
        network = build("vit" if divides else "bert", None, sources)
        sizes = {
            "per_device_train_batch_size": 8 // passes,
            "gradient_accumulation_steps": passes,
        }
        run(network, tmp_path, STRONG[name], optim="sgd", **sizes)
        found.append(tensors(network))
    for key, one in found[0].items():
        torch.testing.assert_close(found[1][key], one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_prefix_cache_is_exact_or_steps_aside(
    name: str, sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path / "cache"))
    found = []
    for is_cached in (False, True):
        network = build(fitting(name, "bert"), None, sources)
        freezing = FreezingCallback(FreezingSchedule.top_layers(1))
        made = trainer(
            network, tmp_path, freezing, ObjectiveCallback(STRONG[name]), weight_decay=0.0
        )
        if OBJECTIVES[name].reads_domains:
            pair(made)
        cache = prefix_cache(made) if is_cached else None
        made.train()
        found.append((tensors(network), _logged(made, "objective/loss")))
    assert cache is not None
    (use,) = cache.uses
    if OBJECTIVES[name].reads_inputs:
        assert use.reason == f"the objective {name} reads the whole input"
    else:
        # Each row once, whatever it is paired with.
        assert (use.reason, use.rows) == ("", 28 if OBJECTIVES[name].reads_domains else 16)
    (whole, terms), (fed, ours) = found
    for key, one in whole.items():
        torch.testing.assert_close(fed[key], one, rtol=0, atol=1e-5)
    assert ours == pytest.approx(terms, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "schedule", "reason"),
    [("bss", "head", "all that it reads is frozen"), ("r_drop", "full", "no dropout is on")],
)
def test_what_moves_nothing_is_said(
    name: str,
    schedule: str,
    reason: str,
    sources: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        run(build("resnet", None, sources), tmp_path, name, schedule)
    assert caplog.text.count(f"objective {name} moves nothing as long as {reason}") == 1


# what cannot be -> (arguments of the Trainer, words of the error)
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "smoothing": ({"label_smoothing_factor": 0.1}, "label_smoothing_factor=0.1"),
    "compiled": ({"torch_compile": True}, "torch_compile"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_run_that_the_term_cannot_reach_is_refused(
    case: str, sources: Path, tmp_path: Path
) -> None:
    arguments, words = REFUSED[case]
    with pytest.raises(ConfigError, match=words):
        run(build("bert", None, sources), tmp_path, "l2sp", **arguments)


def test_a_loss_of_ones_own_is_refused(sources: Path, tmp_path: Path) -> None:
    network = build("bert", None, sources)
    made = trainer(network, tmp_path, ObjectiveCallback("l2sp"))
    made.compute_loss_func = lambda outputs, labels, **_: outputs.logits.sum()
    with pytest.raises(ConfigError, match="without a loss"):
        made.train()


def test_a_checkpoint_without_a_head_is_refused(sources: Path, tmp_path: Path) -> None:
    whole: Any = build("bert", None, sources)
    whole.bert.save_pretrained(tmp_path / "bare")
    bare = type(whole).from_pretrained(tmp_path / "bare")
    with pytest.raises(ConfigError, match="bare, a checkpoint without a head of its own"):
        run(bare, tmp_path, "co_tuning")


def test_a_callback_that_trainer_makes_anew_is_refused(sources: Path, tmp_path: Path) -> None:
    run(build("bert", None, sources), tmp_path, "l2sp", save_strategy="steps", save_steps=2)
    again = {"restore_callback_states_from_checkpoint": True}
    checkpoint = f"{tmp_path}/checkpoint-2"
    with pytest.raises(ConfigError, match="did not see the model before it trained"):
        run(build("bert", None, sources), tmp_path, "l2sp", resume=checkpoint, **again)


def test_a_second_training_is_held_to_the_same_source(sources: Path, tmp_path: Path) -> None:
    network = build("bert", None, sources)
    made = run(network, tmp_path, STRONG["l2sp"])
    moved = _logged(made, "objective/moved")
    made.args.max_steps = 6
    made.train()
    assert moved[0] == 0.0 < _logged(made, "objective/moved")[0]


def test_another_source_is_refused_on_resume(sources: Path, tmp_path: Path) -> None:
    run(build("bert", None, sources), tmp_path, "l2sp", save_strategy="steps", save_steps=2)
    other = build("bert", None, sources)
    with torch.no_grad():
        next(other.parameters()).add_(1.0)
    checkpoint = f"{tmp_path}/checkpoint-2"
    with pytest.raises(TransferError, match="other weights than those"):
        run(other, tmp_path, "l2sp", resume=checkpoint)
    with pytest.raises(TransferError, match="'beta': 0.5"):
        run(
            build("bert", None, sources), tmp_path, {"name": "l2sp", "beta": 0.5}, resume=checkpoint
        )
