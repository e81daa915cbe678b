"""The text recipe under real launchers: two processes, and one where two were asked for."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hf_transfer_plugin import (
    FewShotConfig,
    RunResult,
    Verdict,
    load_config,
    load_instance_config,
    load_multitask_config,
)
from hf_transfer_plugin.few_labels.configs import (
    check_few_shot,
    check_zero_shot,
    load_few_shot,
    load_zero_shot,
)
from tests.tiny_runs import (
    image_checkpoint,
    offline_cache,
    text_checkpoint,
    write_config,
    write_images,
    write_text_folder,
)

ROOT = Path(__file__).parents[2]
RECIPE = str(ROOT / "recipes" / "text_classification.py")
ACCELERATE = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
TWO = "--multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no"


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_text_folder(tmp_path / "texts")
    text_checkpoint(tmp_path / "bert")
    write_config(
        tmp_path / "config.yaml",
        batch_size=8,
        training={"num_train_epochs": 2, "learning_rate": 1e-3},
        controls=["from-scratch", "majority"],
        control_learning_rates=[1e-3],
    )
    # Without dropout the processes draw nothing that one process would not.
    path = tmp_path / "bert" / "config.json"
    text = path.read_text()
    for rate in ("attention_probs_dropout_prob", "hidden_dropout_prob"):
        text = text.replace(f'"{rate}": 0.1', f'"{rate}": 0.0')
    path.write_text(text)
    return tmp_path


def _launch(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        words, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def _here(
    recipe: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *overrides: str,
) -> str:
    """Run a recipe in this process, where all is imported, and return what it prints."""
    offline_cache(monkeypatch, Path.cwd())
    monkeypatch.setattr(sys, "argv", [recipe, "--config", "config.yaml", *overrides])
    runpy.run_path(recipe, run_name="__main__")
    return capsys.readouterr().out


def test_two_processes_give_the_verdict_of_one(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "world size: 1" in _here(RECIPE, monkeypatch, capsys, "run_folder=one")
    two = _launch(*ACCELERATE, *TWO.split(), RECIPE, "--config", "config.yaml", "run_folder=two")
    assert two.returncode == 0, two.stderr
    assert two.stdout.count("world size: 2") == 2
    verdicts = [Verdict.load(workplace / name / "verdict.json") for name in ("one", "two")]
    assert verdicts[0].outcome == verdicts[1].outcome
    assert verdicts[0].difference == pytest.approx(verdicts[1].difference, abs=1e-6)
    results = [RunResult.load(workplace / f / "results" / "transfer.json") for f in ("one", "two")]
    assert (results[0].world_size, results[1].world_size) == (1, 2)
    for first, second in zip(results[0].seeds, results[1].seeds, strict=True):
        assert first.steps == second.steps
        assert first.predictions == second.predictions
        # Gradients are added in another order; AdamW makes much of the rounding of tiny ones.
        assert first.confidences == pytest.approx(second.confidences, abs=1e-3)


def test_one_process_where_two_were_asked_for_is_an_error(workplace: Path) -> None:
    silent = _launch(
        *ACCELERATE, "--cpu", "--num_processes", "2", RECIPE, "--config", "config.yaml"
    )
    assert silent.returncode != 0 and "returned non-zero exit status 2" in silent.stderr
    assert "1 process running" in silent.stderr and "--multi_gpu" in silent.stderr
    assert not (workplace / "run" / "results").exists()


def test_the_launcher_config_of_the_recipes_starts_two(workplace: Path) -> None:
    """The command line under a launcher, too: each table once, and both processes end well."""
    config = str(ROOT / "recipes" / "accelerate" / "cpu_2_processes.yaml")
    command = ["-m", "hf_transfer_plugin.cli", "rank", "config.yaml", "processes=2"]
    done = _launch(*ACCELERATE, "--config_file", config, *command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("What to transfer") == 1
    assert (workplace / "run" / "ranking.json").is_file()


def test_the_image_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "pictures", per_class=12)
    image_checkpoint(tmp_path / "resnet")
    data = {"path": "pictures", "validation_fraction": 0.25, "test_fraction": 0.25}
    keys = {"data": data, "checkpoint": "./resnet", "task": None, "controls": ["majority"]}
    write_config(tmp_path / "config.yaml", **keys)
    recipe = str(ROOT / "recipes" / "image_classification.py")
    said = _here(recipe, monkeypatch, capsys, "batch_size=4", "run_folder=pictures-run")
    for part in ("world size: 1", "best checkpoint: ./resnet", "3 optimizer steps", "majority: "):
        assert part in said, said
    card = (tmp_path / "pictures-run" / "README.md").read_text()
    assert "image_classification.py --config config.yaml batch_size=4" in card


# The configs of a case study are looked at in test_case_studies.py.
EVERY = [
    path
    for path in sorted((ROOT / "recipes" / "configs").rglob("*.yaml"))
    if not (path.parent / "study.yaml").is_file()
]
INSTANCES = [path for path in EVERY if path.parent.name == "instance_transfer"]
LABELS = {"few_shot": load_few_shot, "zero_shot": load_zero_shot}
LABEL_CONFIGS = [path for path in EVERY if path.parent.name in LABELS]
CONFIGS = [path for path in EVERY if path not in (*INSTANCES, *LABEL_CONFIGS)]


def test_there_are_configs() -> None:
    assert len(CONFIGS) >= 4 and len(LABEL_CONFIGS) == 4


@pytest.mark.parametrize("path", LABEL_CONFIGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_each_config_of_few_labels_opens_with_its_command_and_loads(path: Path) -> None:
    command = f"# hf-tl {path.parent.name.replace('_', '-')} {path.relative_to(ROOT)}"
    assert path.read_text().splitlines()[0].startswith(command)
    config = LABELS[path.parent.name](path)
    assert config.run_folder.startswith("runs/")
    if isinstance(config, FewShotConfig):
        check_few_shot(config)
    else:
        check_zero_shot(config)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_each_config_opens_with_its_command_and_loads(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# ") and str(path.relative_to(ROOT)) in text.splitlines()[0]
    if path.parent.name == "multitask":
        assert len(load_multitask_config(path).tasks) >= 2
    else:
        assert load_config(path).task.replace("-", "_") == path.parent.name
    assert yaml.safe_load(text)["run_folder"].startswith("runs/")


@pytest.mark.parametrize("path", INSTANCES, ids=lambda path: path.stem)
def test_each_config_of_instances_opens_with_its_command_and_loads(path: Path) -> None:
    head = path.read_text().splitlines()[0]
    assert head.startswith("# python recipes/instance_transfer.py")
    assert str(path.relative_to(ROOT)) in head
    assert load_instance_config(str(path)).run_folder.startswith("runs/")
