"""Statistics of BatchNorm estimated anew on rows of another domain."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from transformers import default_data_collator

from hf_transfer_plugin import TransferError, adapt_batch_norm
from tests.callbacks.tiny import bert, changed, efficientnet, examples, resnet, tensors

NETWORKS = {"resnet": resnet, "efficientnet": efficientnet}


def _shifted(model: nn.Module) -> list[dict[str, Any]]:
    return [{**row, "pixel_values": 3 * row["pixel_values"] + 2} for row in examples(model)]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_statistics_are_those_of_the_target(name: str) -> None:
    model = NETWORKS[name]().train()
    rows, before = _shifted(model), tensors(model)
    modes = [part.training for part in model.modules()]
    norms = [part for part in model.modules() if isinstance(part, _BatchNorm)]
    seen: list[torch.Tensor] = []
    hook = norms[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    assert adapt_batch_norm(model, rows, default_data_collator, batch_size=8) == len(norms) > 2
    hook.remove()
    assert norms[0].running_mean is not None and norms[0].running_var is not None
    means = torch.stack([each.mean((0, 2, 3)) for each in seen])
    torch.testing.assert_close(norms[0].running_mean, means.mean(0))
    spreads = torch.stack([each.var((0, 2, 3)) for each in seen])
    torch.testing.assert_close(norms[0].running_var, spreads.mean(0))
    moved = changed(before, tensors(model))
    assert moved and all(each.rpartition(".")[2].startswith(("running", "num_b")) for each in moved)
    assert modes == [part.training for part in model.modules()]
    assert {norm.momentum for norm in norms} == {0.1}
    again, batches = deepcopy(model), [default_data_collator(rows[i : i + 8]) for i in (0, 8)]
    adapt_batch_norm(again, iter(batches))
    assert not changed(tensors(model), tensors(again)), "what was there before counts for nothing"


def test_a_shifted_domain_looks_like_the_source_again() -> None:
    """Scale and offset of the inputs vanish behind the first BatchNorm."""
    model = resnet().eval()
    source, target = examples(model), _shifted(model)
    adapt_batch_norm(model, source, default_data_collator)

    def logits(rows: list[dict[str, Any]]) -> torch.Tensor:
        with torch.no_grad():
            found: torch.Tensor = model(default_data_collator(rows)["pixel_values"]).logits
        return found

    wanted = logits(source)
    apart = (logits(target) - wanted).abs().max()
    adapt_batch_norm(model, target, default_data_collator)
    assert (logits(target) - wanted).abs().max() < 0.2 * apart


def test_what_cannot_be_adapted_is_refused() -> None:
    with pytest.raises(TransferError, match="a model without BatchNorm"):
        adapt_batch_norm(bert(), [])
    model = resnet()
    before = tensors(model)
    with pytest.raises(TransferError, match="no batches of target rows"):
        adapt_batch_norm(model, [], default_data_collator)
    assert not changed(before, tensors(model))
