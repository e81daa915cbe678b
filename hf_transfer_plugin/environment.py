"""What a result depended on: package versions and the kind of machine, nothing that identifies."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from hf_transfer_plugin.processes import cpu_only
from hf_transfer_plugin.version import __version__

__all__ = ["environment"]

_PACKAGES = (
    "transformers",
    "torch",
    "datasets",
    "accelerate",
    "huggingface_hub",
    "timm",
    "scikit-learn",
    "numpy",
)


def environment() -> Mapping[str, str]:
    """Return package or property -> version or value, for reports and cards."""
    found = {"hf_transfer_plugin": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    found["system"] = f"{platform.system()} {platform.machine()}"
    found["processor cores"] = str(os.cpu_count())
    found["accelerator"] = _accelerator()
    return found


def _accelerator() -> str:
    import torch

    if cpu_only():
        return "none"
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return str(torch.accelerator.current_accelerator())
