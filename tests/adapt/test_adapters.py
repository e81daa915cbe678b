"""Every kind of adapter on six architectures, or refused for a reason that is listed here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoConfig

from hf_transfer_plugin import apply_adapter, layer_groups, merge_adapter
from hf_transfer_plugin.adapter_kinds import KINDS
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import Adapter
from tests.adapt.adapter_cases import ARCHITECTURES, batch_of, logits_of
from tests.callbacks.tiny import bert, tensors

LINEAR = "a model with linear layers between its input and its head"
NORMS = "layer normalization"
TOKENS = "a table of token embeddings"
PROMPT = "an input of tokens"
IMAGES = ("vit", "convnext", "resnet", "efficientnet")
# (kind, architecture) -> why not
REFUSED: dict[tuple[str, str], str] = {
    **{(kind, name): LINEAR for kind in ("adalora", "vera") for name in IMAGES[2:]},
    **{("layer_norm", name): NORMS for name in IMAGES[2:]},
    **{("trainable_tokens", name): TOKENS for name in IMAGES},
    **{(kind, name): PROMPT for kind in ("prefix_tuning", "prompt_tuning") for name in IMAGES},
    ("prefix_tuning", "distilbert"): "past_key_values",
    ("oft", "convnext"): "convolutions and linear layers",
}
OPTIONS: dict[str, dict[str, Any]] = {"trainable_tokens": {"token_indices": list(range(1, 40))}}
MATRIX = [(kind, name) for kind in KINDS for name in ARCHITECTURES]


def test_the_matrix_is_whole() -> None:
    assert len(KINDS) == 14 and len(MATRIX) == 84 and len(REFUSED) == 20
    assert set(REFUSED) <= set(MATRIX)


def _train(model: PeftModel, batch: dict[str, torch.Tensor]) -> None:
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    for _ in range(2):
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.filterwarnings("ignore:Invalid `oft_block_size`")
@pytest.mark.parametrize(("kind", "name"), MATRIX)
def test_each_adapter_on_each_architecture(kind: str, name: str, tmp_path: Path) -> None:
    build, config = ARCHITECTURES[name], {"name": kind, **OPTIONS.get(kind, {})}
    network = build()
    batch = batch_of(network)
    if (kind, name) in REFUSED:
        with pytest.raises(ConfigError, match=REFUSED[kind, name]):
            apply_adapter(network, config)
        return
    first, parts = logits_of(network, batch), set(network.state_dict())
    torch.manual_seed(0)
    model = apply_adapter(network, config)
    if KINDS[kind].merges:
        torch.testing.assert_close(logits_of(model, batch), first, rtol=0, atol=1e-6)

    before = tensors(model)
    _train(model, batch)
    after = tensors(model)
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert moved == {key for key, p in model.named_parameters() if p.requires_grad}
    head = layer_groups(model).head
    assert (
        head is not None and moved & set(head.parameter_names) and moved - set(head.parameter_names)
    ), "the head and the adapter train; the network and its statistics rest"

    learned = logits_of(model, batch)
    assert not torch.allclose(learned, first, atol=1e-4)
    model.save_pretrained(tmp_path)
    again = PeftModel.from_pretrained(build(), str(tmp_path))
    torch.testing.assert_close(logits_of(again, batch), learned, rtol=0, atol=1e-7)

    if not KINDS[kind].merges:
        with pytest.raises(ConfigError, match="merges into no weight"):
            merge_adapter(model)
        return
    merged = merge_adapter(model)
    assert set(merged.state_dict()) == parts, "plain transformers loads it"
    assert not any(part._forward_pre_hooks for part in merged.modules())
    torch.testing.assert_close(logits_of(merged, batch), learned, rtol=1e-4, atol=1e-5)


# what a user may write -> words of the error
WRONG: dict[str, tuple[Any, str]] = {
    "name": ("lorra", "did you mean 'lora'"),
    "no name": ({"r": 8}, "a name such as lora"),
    "list": (["lora"], "a name such as lora"),
    "option": ({"name": "lora", "alpha": 8}, "did you mean 'lora_alpha'"),
    "decided option": ({"name": "lora", "task_type": "X"}, "unknown option 'task_type'"),
    "fixed option": ({"name": "dora", "use_dora": False}, "unknown option 'use_dora'"),
    "keep": ({"name": "lora", "keep": "both"}, "one of auto, merged, adapter"),
    "merged prompt": ({"name": "prompt_tuning", "keep": "merged"}, "keep: adapter"),
    "LoRA+ of IA3": ({"name": "ia3", "lora_plus": 16}, "with one of lora, rslora, dora"),
    "LoRA+ below 1": ({"name": "lora", "lora_plus": 0.5}, "from 1 up"),
    "LoRA+ in words": ({"name": "lora", "lora_plus": "high"}, "from 1 up"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_before_a_model_is_there(case: str) -> None:
    config, words = WRONG[case]
    with pytest.raises(ConfigError, match=words):
        Adapter.from_config(config)


# what peft or the model refuses -> words of its reason
REASONS: dict[str, tuple[dict[str, Any], str]] = {
    "rank": ({"name": "lora", "r": 0}, "positive integer"),
    "targets": ({"name": "lora", "target_modules": ["nowhere"]}, "nowhere"),
    "blocks": ({"name": "boft", "boft_block_size": 5}, "divisible|divide"),
    "tokens": ({"name": "trainable_tokens"}, "without token_indices"),
    "positions": ({"name": "prompt_tuning", "num_virtual_tokens": 8}, "fewer than the 8 positions"),
    "text": ({"name": "lora", "r": "eight"}, "peft refuses the adapter lora"),
}


@pytest.mark.parametrize("case", REASONS)
def test_what_peft_refuses_comes_with_its_reason(case: str) -> None:
    config, words = REASONS[case]
    with pytest.raises(ConfigError, match=words) as caught:
        apply_adapter(bert(), config)
    assert caught.value.expected and caught.value.action


def test_a_second_adapter_is_refused_and_a_merged_one_makes_room() -> None:
    model = apply_adapter(bert(), "lora")
    with pytest.raises(ConfigError, match="has the adapter 'default' already"):
        apply_adapter(model, "ia3")
    network = merge_adapter(model)
    with pytest.raises(ConfigError, match="merge_adapter got a BertForSequenceClassification"):
        merge_adapter(network)  # type: ignore[arg-type]
    assert isinstance(apply_adapter(network, "ia3"), PeftModel)


def test_a_table_of_options_survives_a_record() -> None:
    adapter = Adapter.from_config({"name": "lora", "r": 4, "keep": "adapter", "lora_plus": 16})
    assert Adapter.from_json(adapter.to_json()) == adapter
    assert Adapter.from_config(adapter.to_json()) == adapter
    assert (adapter.is_merged, Adapter("lora").is_merged) == (False, True)
    assert not Adapter("prefix_tuning").is_merged


def test_a_head_with_a_namesake_is_refused() -> None:
    network = ARCHITECTURES["bert"]()
    network.bert.classifier = torch.nn.Identity()  # type: ignore[assignment, union-attr]
    with pytest.raises(ConfigError, match="also ends bert.classifier"):
        apply_adapter(network, "lora")


def test_a_network_of_layers_that_no_name_tells(tmp_path: Path) -> None:
    """GPT-2 has transposed layers, and a family that peft has no list of is found as well."""
    from transformers import AutoModelForSequenceClassification

    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "vocab_size": 40, "n_positions": 16}
    config = AutoConfig.for_model("gpt2", **sizes, num_labels=2, pad_token_id=0)
    model: Any = apply_adapter(AutoModelForSequenceClassification.from_config(config), "lora")
    targets = model.peft_config["default"].target_modules
    assert {each.rpartition(".")[2] for each in targets} == {"c_attn", "c_proj", "c_fc"}
    with pytest.raises(ConfigError, match="a model with linear layers"):
        apply_adapter(AutoModelForSequenceClassification.from_config(config), "loha")
