"""R-Drop's second pass: its formula, random numbers, running statistics, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import TrainerCallback, TrainingArguments

from hf_transfer_plugin.adapt.objectives import RDrop
from hf_transfer_plugin.adapt.objectives.r_drop import symmetric_divergence
from hf_transfer_plugin.callbacks.objective_checks import check_objective
from hf_transfer_plugin.errors import ConfigError
from tests.callbacks.objective_cases import build, run
from tests.callbacks.tiny import CHECKPOINTING, changed, efficientnet, examples, tensors

ALPHA, PASSES, ROWS = 3.0, 2, 4
NETWORKS = ("bert_with_dropout", "vit_with_dropout")


class _Seeds(TrainerCallback):
    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        torch.manual_seed(7)


def _by_hand(network: nn.Module) -> dict[str, torch.Tensor]:
    """One step of gradient descent on 1/2 (CE1 + CE2) + alpha KL, mean over all rows."""
    rows = examples(network)
    torch.manual_seed(7)
    network.train()
    for first in range(0, PASSES * ROWS, ROWS):
        part = rows[first : first + ROWS]
        batch = {key: torch.stack([torch.as_tensor(row[key]) for row in part]) for key in part[0]}
        one, two = network(**batch), network(**batch)
        term = ALPHA * symmetric_divergence(one.logits, two.logits)
        (((one.loss + two.loss) / 2 + term) / PASSES).backward()
    torch.optim.SGD(network.parameters(), lr=0.1).step()
    return tensors(network)


@pytest.mark.parametrize("model", NETWORKS)
def test_a_step_is_that_of_the_formula(model: str, sources: Path, tmp_path: Path) -> None:
    """Two micro-batches; ViT divides its loss by the labels of both, BERT takes no notice."""
    wanted = _by_hand(build(model, None, sources))
    network = build(model, None, sources)
    given: dict[str, Any] = {
        "max_steps": 1, "optim": "sgd", "learning_rate": 0.1, "max_grad_norm": 0.0,
        "gradient_accumulation_steps": PASSES, "train_sampling_strategy": "sequential",
    }  # fmt: skip
    made = run(network, tmp_path, RDrop(ALPHA), "full", _Seeds(), **given)
    (entry,) = [each for each in made.state.log_history if "loss" in each]
    assert entry["objective/loss"] == pytest.approx(ALPHA * entry["objective/divergence"])
    assert entry["objective/divergence"] > 0
    for name, tensor in tensors(network).items():
        torch.testing.assert_close(tensor, wanted[name], rtol=1e-4, atol=1e-6)
    start = tensors(build(model, None, sources))
    assert len(changed(start, wanted)) > 20, "the step moved the network"


def test_running_statistics_move_once_a_step(tmp_path: Path) -> None:
    """A network with BatchNorm, and dropout before its head: as in the first pass alone."""
    found = []
    for objective in ("r_drop", None):
        network: Any = efficientnet()
        network.timm_model.drop_rate = 0.5
        run(network, tmp_path, objective, "full", _Seeds(), max_steps=1)
        found.append(tensors(network))
    norms = {name for name in found[0] if "running_" in name or "num_batches" in name}
    assert norms and not changed(found[0], found[1]) & norms
    assert changed(found[0], found[1]), "the second pass counts"
    parts = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    assert all(part.track_running_stats for part in parts)


def test_recomputed_blocks_have_the_masks_of_their_pass(sources: Path, tmp_path: Path) -> None:
    found = []
    for recomputed in (False, True):
        network = build("bert_with_dropout", None, sources)
        run(network, tmp_path, "r_drop", **{CHECKPOINTING: recomputed})
        found.append(tensors(network))
    for name, tensor in found[0].items():
        torch.testing.assert_close(found[1][name], tensor, rtol=1e-4, atol=1e-5)


def test_weights_that_would_be_ready_twice_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = TrainingArguments(
        str(tmp_path),
        use_cpu=True,
        **{CHECKPOINTING: True, f"{CHECKPOINTING}_kwargs": {"use_reentrant": True}},  # type: ignore[arg-type]
    )
    check_objective(RDrop().record, args, nn.Linear(1, 1))
    monkeypatch.setattr(TrainingArguments, "world_size", 2)
    with pytest.raises(ConfigError, match="r_drop with reentrant activation_checkpointing"):
        check_objective(RDrop().record, args, nn.Linear(1, 1))
