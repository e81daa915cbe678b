"""The kinds of adapters, each with the class of peft that makes it and the layers it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

__all__ = ["KINDS", "AdapterKind", "Place"]

#: Where an adapter sits: in matrix layers, at norms, in the input embeddings, before the input.
Place = Literal["matrices", "norms", "embeddings", "prompt"]


@dataclass(frozen=True)
class AdapterKind:
    """One method of parameter-efficient fine-tuning.

    Attributes:
        config: name of the configuration class in `peft`.
        paper: where the method comes from.
        place: which modules it is put into.
        convolutions: which convolutions it takes beside linear layers; "pointwise" are those
            of one pixel.
        transposed: takes the transposed linear layers of GPT-2 (`Conv1D`).
        fixed: options that make it this kind.
        defaults: options that a user may replace.
        only: the options it takes, where they are not those of the configuration class.
        merges: its weights can be added to those of the network, which then has its old form.
        reads_weights: it computes with the weights of the network, which must have values and lie
            row by row (not channels last).
    """

    config: str
    paper: str
    place: Place = "matrices"
    convolutions: Literal["none", "pointwise", "all"] = "none"
    transposed: bool = False
    fixed: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    merges: bool = True
    reads_weights: bool = False


_LORA = AdapterKind(
    "LoraConfig",
    "LoRA, Hu et al. 2021",
    convolutions="all",
    transposed=True,
    defaults={"r": 8, "lora_alpha": 16},
)

KINDS: Mapping[str, AdapterKind] = MappingProxyType(
    {
        "lora": _LORA,
        "rslora": replace(
            _LORA,
            paper="rank-stabilised LoRA, Kalajdzievski 2023",
            fixed={"use_rslora": True},
        ),
        "dora": replace(_LORA, paper="DoRA, Liu et al. 2024", fixed={"use_dora": True}),
        "adalora": AdapterKind(
            "AdaLoraConfig",
            "AdaLoRA, Zhang et al. 2023",
            transposed=True,
            defaults={"init_r": 12, "target_r": 8, "lora_alpha": 16},
        ),
        "ia3": AdapterKind(
            "IA3Config", "IA3, Liu et al. 2022", convolutions="all", transposed=True
        ),
        "vera": AdapterKind("VeraConfig", "VeRA, Kopiczko et al. 2023", transposed=True),
        # Of larger ones peft rotates overlapping patches and sums them up: another network.
        "oft": AdapterKind("OFTConfig", "OFT, Qiu et al. 2023", convolutions="pointwise"),
        "boft": AdapterKind(
            "BOFTConfig", "BOFT, Liu et al. 2023", convolutions="all", reads_weights=True
        ),
        "loha": AdapterKind(
            "LoHaConfig", "LoHa (FedPara), Hyeon-Woo et al. 2021", convolutions="all"
        ),
        "lokr": AdapterKind("LoKrConfig", "LoKr (KronA), Edalati et al. 2022", convolutions="all"),
        "prefix_tuning": AdapterKind(
            "PrefixTuningConfig",
            "prefix tuning, Li & Liang 2021",
            place="prompt",
            defaults={"num_virtual_tokens": 10},
            merges=False,
        ),
        "prompt_tuning": AdapterKind(
            "PromptTuningConfig",
            "prompt tuning, Lester et al. 2021",
            place="prompt",
            defaults={"num_virtual_tokens": 10},
            merges=False,
        ),
        "layer_norm": AdapterKind(
            "LNTuningConfig", "LayerNorm tuning, Zhao et al. 2023", place="norms"
        ),
        "trainable_tokens": AdapterKind(
            "LoraConfig",
            "trainable tokens (peft, 2025)",
            place="embeddings",
            only=("token_indices",),
        ),
    }
)
