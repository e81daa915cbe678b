"""A digest of everything in a model that decides what its frozen prefix computes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import nn

from hf_transfer_plugin.prefix.code_digest import digest_code
from hf_transfer_plugin.prefix.cut import Cut
from hf_transfer_plugin.prefix.unit_calls import LayerUnits

__all__ = ["WeightsDigest"]

# What a configuration says about the task, the file and the outputs, not about the layers.
_IGNORED = {
    *("_name_or_path", "architectures", "dtype", "finetuning_task", "id2label", "label2id"),
    *("label_names", "num_labels", "output_attentions", "output_hidden_states", "problem_type"),
    *("return_dict", "torch_dtype", "transformers_version", "use_cache", "num_classes"),
}
_ADAPTERS = ("disable_adapters", "active_adapters", "scaling")
_MODES = ("training", "gradient_checkpointing")
_PLAIN = (bool, int, float, str, tuple)
_LIBRARIES = ("torch", "transformers", "timm", "peft")


class WeightsDigest:
    """Digests of the layers of a model as they are now; each layer is read once.

    Args:
        units: of the model.
    """

    def __init__(self, units: LayerUnits) -> None:
        self._units = units
        self._known: dict[str, str] = {}

    def of(self, cut: Cut) -> str:
        """Return the digest of weights, buffers and settings of all that a cut skips."""
        taps = [[tap.name, str(tap.shape)] for tap in cut.taps]
        calls = [[call.path, call.runs] for call in cut.skipped]
        parts = [self._frame(), json.dumps([cut.boundary, taps, calls])]
        parts += [self._of_unit(path) for path in cut.paths]
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()

    def whole(self) -> str:
        """Return the digest of the whole model."""
        parts = [self._frame(), *(self._of_unit(path) for path in self._units.modules)]
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()

    def _of_unit(self, path: str) -> str:
        if path not in self._known:
            module = self._units.modules[path]
            tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
            self._known[path] = f"{path} {_settings(module)} {_content(tensors)}"
        return self._known[path]

    def _frame(self) -> str:
        """Return what lies around the layers: class, configuration, parameters of no layer."""
        if "" not in self._known:
            model = self._units.model
            config = getattr(model, "config", None)
            named = config.to_dict() if config is not None else {}
            told = {key: value for key, value in named.items() if key not in _IGNORED}
            attention = getattr(config, "_attn_implementation", "")
            # Code that its user may edit, and hooks of what lies around the layers.
            code = sorted(_code(kind) for kind in {type(part) for part in model.modules()})
            about = [told, attention, _versions(), code, _hooks(model)]
            text = json.dumps(about, sort_keys=True, default=str)
            self._known[""] = f"{type(model).__qualname__} {text} {_content(self._units.outside())}"
        return self._known[""]


def _settings(module: nn.Module) -> str:
    """Return a digest of what a module computes with beside tensors."""
    told = [repr(module), *_hooks(module)]
    for part in module.modules():
        named = {n: v for n, v in vars(part).items() if n[0] != "_" and n not in _MODES}
        told.append(repr({n: v for n, v in named.items() if isinstance(v, _PLAIN)}))
        told += [str(getattr(part, name, "")) for name in _ADAPTERS]
    return hashlib.blake2b("\n".join(told).encode(), digest_size=16).hexdigest()


def _code(kind: type[nn.Module]) -> str:
    """Return the name of a class; with a digest of its code when no version stands for it."""
    name = f"{kind.__module__}.{kind.__qualname__}"
    return (
        name if kind.__module__.partition(".")[0] in _LIBRARIES else f"{name} {digest_code(kind)}"
    )


def _hooks(module: nn.Module) -> list[str]:
    """Return digests of the hooks in a module; those of this package change nothing."""
    found = [
        digest_code(hook)
        for part in module.modules()
        for hook in [*part._forward_pre_hooks.values(), *part._forward_hooks.values()]
        if not getattr(hook, "__module__", "").startswith("hf_transfer_plugin.")
    ]
    return sorted(found)


def _content(tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        # Any layout in memory gives the same bytes.
        flat: Any = tensor.detach().cpu().contiguous().flatten()
        digest.update(memoryview(flat.view(torch.uint8).numpy()) if flat.numel() else b"")
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _versions() -> tuple[str, ...]:
    found = []
    for library in _LIBRARIES:
        try:
            found.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            continue
    return tuple(found)
