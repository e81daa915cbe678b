"""Configs and overrides: strict, and free of YAML's traps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin import DataSpec, load_config
from hf_transfer_plugin.config import RunConfig
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import Adapter, Average, Objective
from hf_transfer_plugin.source_weight_records import SourceWeights
from tests.tiny_runs import text_checkpoint, write_config, write_text_folder


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# name -> (keys of the file, overrides, the attribute, its value)
READ: dict[str, tuple[dict[str, Any], list[str], str, Any]] = {
    "number of seeds": ({"seeds": 3}, [], "seeds", (0, 1, 2)),
    "seeds": ({"seeds": [4, 5]}, [], "seeds", (4, 5)),
    "seeds behind": ({}, ["seeds=[7,8]"], "seeds", (7, 8)),
    "a rate without a dot": ({}, ["learning_rates=[5e-4, 1e-3]"], "learning_rates", (5e-4, 1e-3)),
    "one rate": ({}, ["learning_rates=2E-3"], "learning_rates", (0.002,)),
    "one control": ({"controls": "majority"}, [], "controls", ("majority",)),
    "one score": ({}, ["rank_scores=h_score"], "rank_scores", ("h_score",)),
    "path as data": ({"data": "org/set"}, [], "data", DataSpec("org/set")),
    "path as source": (
        {"controls": "permuted-source"},
        ["source_data=org/set"],
        "source_data",
        DataSpec("org/set"),
    ),
    "key of a source": (
        {"controls": "permuted-source", "source_data": "org/set"},
        ["source_data.label=y"],
        "source_data",
        DataSpec("org/set", label="y"),
    ),
    "labels of a source": (
        {"source_data": "org/set"},
        ["labels=source"],
        "label_free_choice",
        "importance",
    ),
    "what chooses": (
        {"source_data": "org/set", "labels": "both"},
        ["choose_by=density"],
        "label_free_choice",
        "density",
    ),
    "weights of a source": (
        {"source_data": "org/set", "labels": "both", "source_weights": "mean_matching"},
        ["source_weights.bound=9"],
        "source_weights",
        SourceWeights("mean_matching", {"bound": 9}),
    ),
    "norms of the target": (
        {"source_data": "org/set", "labels": "source", "adapter": "lora"},
        ["adapt_batch_norm=true"],
        "adapt_batch_norm",
        True,
    ),
    "key beside a path": ({}, ["data.label=y"], "data", DataSpec("texts", label="y")),
    "path beside keys": ({"data": {"path": "a"}}, ["data.path=b"], "data", DataSpec("b")),
    "training": ({}, ["training.weight_decay=0.1"], "training", {"num_train_epochs": 1}),
    "new mapping": ({"training": None}, ["training.max_steps=5"], "training", {"max_steps": 5}),
    "text with an equals sign": ({}, ["title=a=b"], "title", "a=b"),
    "text that is no YAML": ({}, ["title=[a"], "title", "[a"),
    "nothing": ({}, ["checkpoint=", "candidates=a/b"], "candidates", ("a/b",)),
    "seeds of the looks": ({"seeds": None, "looks": [3, 5]}, [], "seeds", (0, 1, 2, 3, 4)),
    "looks": ({"seeds": 5}, ["looks=[2,5]"], "looks", (2, 5)),
    "one look": ({"seeds": None}, ["looks=3"], "looks", (3,)),
    "off, a truth in YAML": ({}, ["watch=off"], "watch", "off"),
    "an adapter by name": ({"adapter": "lora"}, [], "adapter", Adapter("lora")),
    "an option behind a name": (
        {"adapter": "lora"},
        ["adapter.r=4", "adapter.keep=adapter"],
        "adapter",
        Adapter("lora", {"r": 4}, "adapter"),
    ),
    "an adapter taken back": ({"adapter": {"name": "ia3"}}, ["adapter="], "adapter", None),
    "an objective by name": ({"objective": "l2sp"}, [], "objective", Objective("l2sp")),
    "an option of an objective": (
        {"objective": "bss"},
        ["objective.k=2"],
        "objective",
        Objective("bss", {"k": 2}),
    ),
    "an average by name": ({"average": "ema"}, [], "average", Average("ema")),
    "an option of an average": (
        {"average": "soup"},
        ["average.members=4"],
        "average",
        Average("soup", {"members": 4}),
    ),
    "last override": ({}, ["batch_size=8", "batch_size=16"], "batch_size", 16),
}


def test_the_table_is_whole() -> None:
    assert len(READ) == 33


@pytest.mark.parametrize("name", READ)
def test_what_is_written_is_read(name: str) -> None:
    keys, overrides, attribute, wanted = READ[name]
    found = getattr(load_config(write_config(Path("c.yaml"), **keys), overrides), attribute)
    if name == "training":
        wanted = {**wanted, "weight_decay": 0.1}
    assert found == wanted
    assert type(found) is type(wanted)


def test_a_rate_in_the_file_needs_no_dot() -> None:
    path = write_config(Path("c.yaml"))
    path.write_text(path.read_text().replace("num_train_epochs: 1", "learning_rate: 5e-4"))
    assert load_config(path).training == {"learning_rate": 0.0005}


def test_local_paths_never_pass_for_hub_names() -> None:
    write_text_folder(Path("my/texts"))
    text_checkpoint(Path("my/bert"))
    keys = {"data": "my/texts", "checkpoint": "my/bert", "candidates": ["my/bert", "org/bert"]}
    config = load_config(write_config(Path("c.yaml"), **keys))
    assert (config.data.path, config.checkpoint) == ("./my/texts", "./my/bert")
    assert config.candidates == ("./my/bert", "org/bert")
    assert config.ranked() == ("./my/bert", "org/bert")
    absolute = str(Path("my/bert").resolve())
    assert load_config("c.yaml", [f"checkpoint={absolute}"]).checkpoint == absolute


def test_recipes_take_their_own_task_alone() -> None:
    path = write_config(Path("c.yaml"))
    with pytest.raises(ConfigError, match="expected: task image-classification"):
        load_config(path, task="image-classification")
    without = write_config(Path("without.yaml"), task=None)
    assert load_config(without, task="image-classification").task == "image-classification"


def test_unknown_keys_name_their_place() -> None:
    path = write_config(Path("c.yaml"))
    for override, named in {"sead=1": "seeds", "data.imagesize=1": "image_size"}.items():
        with pytest.raises(ConfigError) as caught:
            load_config(path, [override])
        key = override.partition("=")[0]
        assert f"unknown key {key}; did you mean '{named}'?" in str(caught.value)


def test_repeated_keys_are_found_at_any_depth() -> None:
    Path("c.yaml").write_text("task: a\ndata:\n  path: x\n  seed: 1\n  path: y\n")
    with pytest.raises(ConfigError, match="line 5: the key 'path' appears twice"):
        load_config("c.yaml")


def test_a_config_is_kept_as_it_was_read() -> None:
    keys = {"schedule": {"name": "lp_ft", "fraction": 0.3}, "candidates": ["a/b"], "processes": 1}
    keys["adapter"] = {"name": "dora", "r": 4, "lora_plus": 16}
    keys["objective"] = {"name": "delta", "alpha": 0.1}
    keys["average"] = {"name": "wise_ft", "steps": 5}
    config = load_config(write_config(Path("c.yaml"), **keys))
    assert RunConfig.load(config.save("config.json")) == config
