"""The public names: there, documented, and free of charge until used."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest

import hf_transfer_plugin
from hf_transfer_plugin.adapt import objectives
from hf_transfer_plugin.select import scores

STABLE = (
    "FreezingCallback FreezingSchedule NegativeTransferCallback Phase Plan Ranking Report "
    "RunResult TransferError Verdict explain judge layer_groups publish rank_checkpoints run"
).split()
SCORES = "gbc h_score knn_accuracy leep linear_probe_accuracy logme nce nleep".split()
TERMS = "BSS CoTuning Delta FeatureNorm L2SP RDrop Relational".split()
HEAVY = "torch transformers datasets numpy matplotlib sklearn"


def _run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_stable_names() -> None:
    assert len(STABLE) == 16
    assert set(STABLE) <= set(hf_transfer_plugin.__all__)
    assert set(SCORES) <= set(scores.__all__)
    assert set(TERMS) <= set(objectives.__all__)


@pytest.mark.parametrize("name", hf_transfer_plugin.__all__)
def test_each_name_is_there_and_documented(name: str) -> None:
    value = getattr(hf_transfer_plugin, name)
    assert name == "__version__" or value.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        hf_transfer_plugin.nonsense  # noqa: B018


def test_no_module_hides_a_name() -> None:
    for module in pkgutil.walk_packages(hf_transfer_plugin.__path__, "hf_transfer_plugin."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    names = hf_transfer_plugin.__all__
    assert not [n for n in names if isinstance(getattr(hf_transfer_plugin, n), ModuleType)]


@pytest.mark.parametrize("module", ["hf_transfer_plugin", "hf_transfer_plugin.cli"])
def test_import_is_light(module: str) -> None:
    code = f"import sys, {module}; print([n for n in '{HEAVY}'.split() if n in sys.modules])"
    assert _run(code) == "[]"


def test_help_is_light() -> None:
    code = (
        "import sys\n"
        "from hf_transfer_plugin.cli import main\n"
        "sys.argv = ['hf-tl', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n"
        f"    print([n for n in '{HEAVY}'.split() if n in sys.modules])"
    )
    lines = _run(code).splitlines()
    assert "Usage: " in lines[0] and lines[-1] == "[]"
