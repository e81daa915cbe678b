"""Adapters on any model, through peft: attached, merged, taken apart again."""

from __future__ import annotations

import logging
import textwrap
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from typing import TYPE_CHECKING, Any

from torch import nn

from hf_transfer_plugin.adapt.adapter_targets import (
    found_targets,
    mixes_layers,
    narrowing,
    trained_head,
)
from hf_transfer_plugin.adapt.resting_norms import follow_mode_again, rest_with_weights
from hf_transfer_plugin.adapter_records import Adapter
from hf_transfer_plugin.errors import ConfigError

if TYPE_CHECKING:
    from peft import PeftModel

__all__ = ["apply_adapter", "merge_adapter"]

logger = logging.getLogger(__name__)
# A placeholder until the length of the run is known.
_MANY_STEPS = 1_000_000


def apply_adapter(model: nn.Module, adapter: Adapter | str | Mapping[str, Any]) -> PeftModel:
    """Attach an adapter: the network is frozen, the adapter and the head train.

    The modules that take it are found from `layer_groups`, in texts and images alike: linear
    layers and, where the method takes them, convolutions from the first block to the head. The
    head trains as a copy that peft saves and loads with the adapter. BatchNorm whose weights
    are frozen normalises by its running statistics, which rest.

    Args:
        model: a model without adapter, such as what from_pretrained returns; it is changed.
        adapter: an `Adapter`, or what `Adapter.from_config` takes. Its option `target_modules`
            replaces the modules that are found.

    Returns:
        The model with its adapter, for any Trainer; `save_pretrained` writes what is new, and
        `merge_adapter` gives the network back in its old form.

    Raises:
        ConfigError: for an unknown adapter or option, a model that the adapter does not fit, and
            with its reason whatever peft refuses.

    Examples:
        >>> model = apply_adapter(model, {"name": "lora", "r": 8})  # doctest: +SKIP
        >>> trainer = Trainer(model=model, ...)  # doctest: +SKIP
    """
    if not isinstance(adapter, Adapter):
        adapter = Adapter.from_config(adapter)
    adapter.checked()
    import peft

    if isinstance(model, peft.PeftModel):
        raise ConfigError(
            arrived=f"a model that has the adapter {model.active_adapter!r} already",
            expected="a model without adapter",
            action="merge that one first: merge_adapter(model)",
        )
    options = _options(model, adapter)
    with _explained(adapter):
        wrapped = peft.get_peft_model(model, getattr(peft, adapter.kind.config)(**options))
    rest_with_weights(wrapped)
    return wrapped  # type: ignore[no-any-return]


def merge_adapter(model: PeftModel) -> nn.Module:
    """Add an adapter to the weights and return the network in its old form, in place.

    Raises:
        ConfigError: for a model without adapter, and an adapter that cannot be merged.
    """
    from peft import PeftModel
    from peft.utils.other import AuxiliaryTrainingWrapper

    if not isinstance(model, PeftModel):
        raise ConfigError(
            arrived=f"merge_adapter got a {type(model).__name__}",
            expected="a model with an adapter, as apply_adapter returns it",
            action="give the model that was trained, without what a Trainer wraps around it",
        )
    follow_mode_again(model)
    kind = model.peft_config[model.active_adapter].peft_type
    if not hasattr(model.base_model, "merge_and_unload"):
        raise ConfigError(
            arrived=f"an adapter of the kind {getattr(kind, 'value', kind)}, which merges into "
            "no weight",
            expected="an adapter that changes weights, such as lora",
            action="save the adapter itself: model.save_pretrained(folder)",
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All adapters are already merged")
        merged = model.merge_and_unload()
    for name, part in list(merged.named_modules()):
        if isinstance(part, AuxiliaryTrainingWrapper):  # LayerNorm tuning leaves them behind
            path, _, last = name.rpartition(".")
            trained = part.unload_and_optionally_merge_module(True, False, None)
            setattr(merged.get_submodule(path), last, trained)
    return merged  # type: ignore[no-any-return]


def _options(model: nn.Module, adapter: Adapter) -> dict[str, Any]:
    """Return what the configuration class of peft is given."""
    kind = adapter.kind
    found: dict[str, Any] = {**kind.defaults, **adapter.options, **kind.fixed}
    found["modules_to_save"] = trained_head(model)
    if kind.place == "prompt":
        return found | _of_prompt(model, adapter, found)
    targets = found_targets(model, kind)
    if not targets and not found.get("target_modules"):
        raise _no_place(model, adapter)
    if kind.place == "embeddings":
        return _of_tokens(targets, found)
    if adapter.name == "oft" and mixes_layers(model):
        raise ConfigError(
            arrived=f"adapter oft for {type(model).__name__}, whose blocks hold convolutions and "
            "linear layers",
            expected="one of the two: peft takes what a linear layer reads there for an image",
            action="choose boft, or lora",
        )
    if adapter.name == "adalora":
        found.setdefault("total_step", _MANY_STEPS)
    if adapter.name == "ia3" and not found.get("target_modules"):
        found.setdefault("feedforward_modules", narrowing(model, targets))
    return {"target_modules": targets, **found}


def _of_tokens(tables: list[str], options: Mapping[str, Any]) -> dict[str, Any]:
    from peft.utils.constants import DUMMY_TARGET_MODULES

    if not options.get("token_indices"):
        raise ConfigError(
            arrived="adapter trainable_tokens without token_indices",
            expected="the numbers of the tokens whose embeddings train",
            action="add token_indices, such as tokenizer.convert_tokens_to_ids([...]) returns",
        )
    # The configuration class of its own knows no head.
    return {
        "target_modules": DUMMY_TARGET_MODULES,
        "trainable_token_indices": dict.fromkeys(tables, list(options["token_indices"])),
        "modules_to_save": options["modules_to_save"],
    }


def _of_prompt(model: Any, adapter: Adapter, options: Mapping[str, Any]) -> dict[str, Any]:
    config = getattr(model, "config", None)
    sizes = [getattr(config, name, None) for name in ("num_hidden_layers", "hidden_size")]
    heads = getattr(config, "num_attention_heads", None)
    reads = getattr(model, "main_input_name", "") == "input_ids" and None not in (*sizes, heads)
    if not reads or (adapter.name == "prefix_tuning" and not _takes_past(model)):
        raise _no_place(model, adapter)
    room = getattr(config, "max_position_embeddings", None)
    if room is not None and options["num_virtual_tokens"] >= room:
        raise ConfigError(
            arrived=f"{options['num_virtual_tokens']} virtual tokens before a text",
            expected=f"fewer than the {room} positions of {type(model).__name__}",
            action="lower num_virtual_tokens",
        )
    return {
        "task_type": "SEQ_CLS",
        "num_layers": sizes[0],
        "token_dim": sizes[1],
        "num_attention_heads": heads,
    }


def _takes_past(model: Any) -> bool:
    parts = (model, getattr(model, getattr(model, "base_model_prefix", ""), model))
    return any("past_key_values" in signature(part.forward).parameters for part in parts)


def _no_place(model: nn.Module, adapter: Adapter) -> ConfigError:
    kind = adapter.kind
    also = {"none": "", "pointwise": " or pointwise convolutions", "all": " or convolutions"}
    wanted = {
        "matrices": f"linear layers{also[kind.convolutions]} between its input and its head",
        "norms": "layer normalization (BatchNorm is none)",
        "embeddings": "a table of token embeddings",
        "prompt": "an input of tokens, and for prefix tuning an argument past_key_values",
    }[kind.place]
    return ConfigError(
        arrived=f"adapter {adapter.name} for {type(model).__name__}",
        expected=f"a model with {wanted}",
        action="choose another adapter, such as lora",
    )


@contextmanager
def _explained(adapter: Adapter) -> Iterator[None]:
    """Turn what peft raises for an option or a model into one clear error, with its reason."""
    try:
        with warnings.catch_warnings():
            # What peft says of transformers and of norms that it takes all the same.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated")
            warnings.filterwarnings("ignore", "Unsupported layer type .*Norm")
            warnings.filterwarnings("ignore", "fan_in_fan_out is set to")
            warnings.filterwarnings("ignore", "Failed to load the CUDA extension")
            warnings.filterwarnings("ignore", "Setting boft_n_butterfly_factor")
            yield
    except (
        ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError,
        ValueError,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(
            arrived=f"peft refuses the adapter {adapter.name} with {dict(adapter.options)}: "
            + textwrap.shorten(reason, 300, placeholder=" ..."),
            expected="options that fit each other and this model",
            action="correct the options, or choose another adapter",
        ) from error
