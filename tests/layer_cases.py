"""Small random models of many architectures, with the layer groups that they must give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import transformers as tf
from torch import nn

from hf_transfer_plugin.layers import LayerGroups

TEXT: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
}
VISION: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
    "patch_size": 8,
}
STAGES: dict[str, Any] = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 2, 1]}


@dataclass(frozen=True)
class Case:
    """One architecture.

    Attributes:
        names: the expected group names; "..." stands for any number of names.
        count: the expected number of groups.
        inputs: "text", "image", "both", "pair" (encoder and decoder), or "" when the model lies
            on the meta device and cannot run.
        contiguous: whether each group runs to its end before the next one starts.
    """

    id: str
    build: Callable[[], nn.Module]
    names: str
    count: int
    inputs: str = "text"
    contiguous: bool = True

    def batch(self) -> dict[str, torch.Tensor]:
        ids = torch.randint(5, 40, (2, 8))
        image = torch.randn(2, 3, 32, 32)
        return {
            "text": {"input_ids": ids},
            "image": {"pixel_values": image},
            "both": {"input_ids": ids, "pixel_values": image},
            "pair": {"input_ids": ids, "decoder_input_ids": ids},
        }[self.inputs]


def bert(**changes: Any) -> tf.BertConfig:
    return tf.BertConfig(**{**TEXT, "num_labels": 3, **changes})


def gpt2() -> tf.GPT2Config:
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    sizes = {"vocab_size": 50, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32}
    return tf.GPT2Config(**sizes, **special, num_labels=3)


def t5() -> tf.T5Config:
    sizes = {"vocab_size": 50, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2}
    return tf.T5Config(**sizes, num_heads=2, decoder_start_token_id=0)


def bart() -> tf.BartConfig:
    sides = {
        f"{side}_{key}": value
        for side in ("encoder", "decoder")
        for key, value in (("layers", 2), ("attention_heads", 2), ("ffn_dim", 32))
    }
    return tf.BartConfig(vocab_size=50, d_model=16, max_position_embeddings=32, **sides)


def deberta() -> tf.DebertaV2Config:
    relative = {"relative_attention": True, "position_buckets": 8, "conv_kernel_size": 3}
    attention = {"norm_rel_ebd": "layer_norm", "pos_att_type": ["p2c", "c2p"]}
    return tf.DebertaV2Config(**TEXT, **relative, **attention, num_labels=3)


def modernbert() -> tf.ModernBertConfig:
    special = {"bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
    return tf.ModernBertConfig(**TEXT, **special, num_labels=3)


def clip() -> tf.CLIPConfig:
    text = {**TEXT, "bos_token_id": 1, "eos_token_id": 2}
    config = tf.CLIPConfig(text_config=text, vision_config=dict(VISION), projection_dim=8)
    config.num_labels = 3
    return config


def resnet() -> tf.ResNetConfig:
    return tf.ResNetConfig(embedding_size=4, **STAGES, layer_type="basic", num_labels=3)


def efficientnet() -> tf.EfficientNetConfig:
    scale = {"width_coefficient": 0.25, "depth_coefficient": 0.5, "hidden_dim": 320}
    return tf.EfficientNetConfig(**scale, image_size=32, num_labels=3)


def swin() -> tf.SwinConfig:
    sizes = {"image_size": 32, "patch_size": 2, "embed_dim": 8, "window_size": 4}
    return tf.SwinConfig(**sizes, depths=[1, 2], num_heads=[1, 2], num_labels=3)


def timm(architecture: str) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        config = tf.TimmWrapperConfig(
            architecture=architecture, pretrained_cfg={"input_size": (3, 224, 224)}, num_labels=3
        )
        with torch.device("meta"):
            return tf.TimmWrapperForImageClassification(config)

    return build


def cases() -> Iterator[Case]:
    yield from text_cases()
    yield from encoder_decoder_cases()
    yield from vision_cases()
    yield from timm_cases()


def text_cases() -> Iterator[Case]:
    one = bert(num_hidden_layers=1)
    roberta = tf.RobertaConfig(**TEXT, num_labels=3)
    sizes = {"vocab_size": 50, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}
    distilbert = tf.DistilBertConfig(**sizes, num_labels=3)
    llama = tf.LlamaConfig(**TEXT, num_labels=3)
    opt = tf.OPTConfig(**TEXT, ffn_dim=32, word_embed_proj_dim=16, num_labels=3)
    layer = "embeddings layer.0 layer.1"
    layers = "embeddings layers.0 layers.1 neck head"
    table = {
        "bert": (lambda: tf.BertForSequenceClassification(bert()), f"{layer} neck head"),
        "bert-bare": (lambda: tf.AutoModel.from_config(bert()), f"{layer} neck"),
        "bert-1": (lambda: tf.BertForSequenceClassification(one), "embeddings layer.0 neck head"),
        "bert-lm": (lambda: tf.BertForMaskedLM(bert()), f"{layer} head"),
        "roberta": (lambda: tf.RobertaForSequenceClassification(roberta), f"{layer} head"),
        "distilbert": (
            lambda: tf.DistilBertForSequenceClassification(distilbert),
            f"{layer} head",
        ),
        "deberta-v2": (lambda: tf.DebertaV2ForSequenceClassification(deberta()), f"{layer} head"),
        "modernbert": (lambda: tf.ModernBertForSequenceClassification(modernbert()), layers),
        "gpt2": (
            lambda: tf.GPT2ForSequenceClassification(gpt2()),
            "embeddings h.0 h.1 neck head",
        ),
        "gpt2-lm": (lambda: tf.GPT2LMHeadModel(gpt2()), "embeddings h.0 h.1 neck"),
        "llama": (lambda: tf.LlamaForSequenceClassification(llama), layers),
        # OPT registers its final norm before its layers.
        "opt": (lambda: tf.OPTForSequenceClassification(opt), layers),
        "t5-encoder": (lambda: tf.T5EncoderModel(t5()), "embeddings block.0 block.1 neck"),
    }
    for id_, (build, names) in table.items():
        # The convolution of DeBERTa runs between the first and the second layer.
        yield Case(id_, build, names, len(names.split()), "text", id_ != "deberta-v2")


def encoder_decoder_cases() -> Iterator[Case]:
    blocks = " ".join(f"{s}.block.0 {s}.block.1 {s}.neck" for s in ("encoder", "decoder"))
    # BART registers the norm of its embeddings after its layers.
    layers = " ".join(f"{s}.embeddings {s}.layers.0 {s}.layers.1" for s in ("encoder", "decoder"))
    build_t5, build_bart = tf.T5ForConditionalGeneration, tf.BartForConditionalGeneration
    yield Case("t5", lambda: build_t5(t5()), f"embeddings {blocks}", 7, "pair")
    yield Case("bart", lambda: build_bart(bart()), f"embeddings {layers}", 7, "pair")


def vision_cases() -> Iterator[Case]:
    vit = tf.ViTConfig(**VISION, num_labels=3)
    dino = tf.Dinov2Config(**VISION, num_labels=3)
    mobile = tf.MobileNetV2Config(depth_multiplier=0.25, image_size=32, num_labels=3)
    convnext = tf.ConvNextConfig(**STAGES, num_labels=3)
    plain = "embeddings layers.0 layers.1 neck"
    stages = "stages.0.layers.0 stages.1.layers.0 stages.2.layers.0 stages.2.layers.1 "
    stages += "stages.3.layers.0"
    table = {
        "vit": (lambda: tf.ViTForImageClassification(vit), f"{plain} head", 5),
        "vit-bare": (lambda: tf.AutoModel.from_config(vit), plain, 4),
        "dinov2": (
            lambda: tf.Dinov2ForImageClassification(dino),
            "embeddings layer.0 layer.1 neck head",
            5,
        ),
        "swin": (
            lambda: tf.SwinForImageClassification(swin()),
            "embeddings layers.0.blocks.0 layers.1.blocks.0 layers.1.blocks.1 neck head",
            6,
        ),
        "convnext": (
            lambda: tf.ConvNextForImageClassification(convnext),
            f"embeddings {stages} neck head",
            8,
        ),
        "resnet": (lambda: tf.ResNetForImageClassification(resnet()), f"stem {stages} head", 7),
        "resnet-bare": (lambda: tf.AutoModel.from_config(resnet()), f"stem {stages}", 6),
        "mobilenet-v2": (
            lambda: tf.MobileNetV2ForImageClassification(mobile),
            "stem layer.0 ... layer.15 neck head",
            19,
        ),
        "efficientnet": (
            lambda: tf.EfficientNetForImageClassification(efficientnet()),
            "stem blocks.0 ... blocks.9 neck head",
            13,
        ),
        "clip-image": (lambda: tf.CLIPForImageClassification(clip()), f"{plain} head", 5),
    }
    for id_, (build, names, count) in table.items():
        yield Case(id_, build, names, count, "image")
    towers = " ".join(f"{t}_model.{name}" for t in ("text", "vision") for name in plain.split())
    yield Case("clip", lambda: tf.CLIPModel(clip()), f"{towers} head", 9, "both")


def timm_cases() -> Iterator[Case]:
    table = {
        "vgg16": ("features.0 features.2 ... features.28 neck head", 15),
        "vgg19": ("features.0 features.2 ... features.34 neck head", 18),
        "inception_v3": ("stem Mixed_5b ... Mixed_7b Mixed_7c head", 13),
        "legacy_xception": ("stem block1 block2 ... block12 neck head", 15),
        "xception41": ("stem blocks.0 ... blocks.12 head", 15),
        "resnet50": ("stem layer1.0 ... layer4.1 layer4.2 head", 18),
        "tf_efficientnet_lite0": ("stem blocks.0.0 ... blocks.3.1 ... blocks.6.0 neck head", 19),
    }
    for architecture, (names, count) in table.items():
        yield Case(f"timm-{architecture}", timm(architecture), names, count, "")


def static_embeddings() -> nn.Module:
    from hf_transfer_plugin.word_vectors import (
        StaticEmbeddingsConfig,
        StaticEmbeddingsForSequenceClassification,
    )

    config = StaticEmbeddingsConfig(vocab_size=50, hidden_size=16, num_labels=3)
    return StaticEmbeddingsForSequenceClassification(config)


CASES = {case.id: case for case in cases()}
CASES["static-embeddings"] = Case("static-embeddings", static_embeddings, "embeddings head", 2)


def assert_covers(model: nn.Module, groups: LayerGroups) -> None:
    grouped = [name for group in groups for name in group.parameter_names]
    assert sorted(grouped) == sorted(name for name, _ in model.named_parameters())
    assert [group.depth for group in groups] == list(range(len(groups)))
    assert len(set(groups.names)) == len(groups)
