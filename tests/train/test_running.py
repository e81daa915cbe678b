"""Seeds, grid, the model that is kept, and going on: with a Trainer that is played."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin import Plan, RunResult, run
from hf_transfer_plugin.errors import ConfigError, RecordError
from hf_transfer_plugin.records import DataSummary, SeedResult, Transition
from hf_transfer_plugin.train import preparing, training
from hf_transfer_plugin.train.training import Trained
from tests.train.settings import Setting

RATES, OWN_RATE = (0.1, 0.2, 0.3), 0.05


class Played:
    """Stands in for `train_once`: metrics by (seed, rate), and a model that names both."""

    def __init__(
        self,
        validation: Mapping[tuple[int, float], float] | None = None,
        test: Mapping[tuple[int, float], float] | None = None,
    ) -> None:
        self.calls: list[tuple[int, float | None]] = []
        self.stop_at = -1
        self._validation = validation or {}
        self._test = test or {}

    def __call__(self, plan: Plan, seed: int, rate: float | None, *_: Any) -> Trained:
        if len(self.calls) == self.stop_at:
            raise KeyboardInterrupt
        self.calls.append((seed, rate))
        used = OWN_RATE if rate is None else rate
        result = SeedResult(
            seed=seed,
            learning_rate=used,
            steps=10,
            test={plan.metric: self._test.get((seed, used), 0.5)},
            validation={plan.metric: self._validation.get((seed, used), 0.5)},
            curve=(),
            predictions=(0,),
            confidences=(1.0,),
            wall_seconds=1.0,
        )

        def save(folder: Path) -> None:
            (folder / "config.json").write_text(json.dumps({"seed": seed, "rate": used}))

        history = (Transition(0, 0, {"head": used}), Transition(seed + 1, 1, {"body": 0.5}))
        return Trained(result, 1, 2, ("body", "head"), history, save, lambda: None)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(preparing, "prepare", lambda *_: (None, None))
    return tmp_path


def _play(
    played: Played, setting: Setting, plan: Plan, folder: Path, patch: pytest.MonkeyPatch
) -> RunResult:
    patch.setattr(training, "train_once", played)
    results, model = folder / "results" / "transfer.json", folder / "model"
    result = run(plan, results=results, model_dir=model, data=setting.data)
    assert RunResult.load(results) == result
    assert [file.name for file in model.iterdir()] == ["config.json"]
    assert {file.name for file in folder.iterdir()} == {"results", "model"}
    kept = _kept(folder)
    assert result.groups == ("body", "head")
    assert result.transitions[0].factors == {"head": kept["rate"]}
    assert result.transitions[1].step == kept["seed"] + 1
    return result


def _kept(folder: Path) -> dict[str, float]:
    return json.loads((folder / "model" / "config.json").read_text())  # type: ignore[no-any-return]


def test_validation_chooses_the_rate(
    texts: Setting, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Test would choose another rate, and is not asked."""
    played = Played(
        validation={(0, 0.1): 0.6, (0, 0.2): 0.8, (0, 0.3): 0.7},
        test={(0, 0.1): 0.9, (0, 0.2): 0.1, (0, 0.3): 1.0},
    )
    plan = texts.plan(learning_rates=RATES, seeds=(0, 1, 2))
    result = _play(played, texts, plan, folder, monkeypatch)
    assert played.calls == [(0, 0.1), (0, 0.2), (0, 0.3), (1, 0.2), (2, 0.2)]
    assert result.grid == {"0.1": 0.6, "0.2": 0.8, "0.3": 0.7}
    assert [each.learning_rate for each in result.seeds] == [0.2] * 3
    assert result.scores() == (0.1, 0.5, 0.5)
    assert result.best_seed == 0 and _kept(folder) == {"seed": 0, "rate": 0.2}


# name -> (validation of seeds 4, 5 and 6, the seed that is kept)
BEST = {
    "first": ((0.9, 0.5, 0.6), 4),
    "middle": ((0.5, 0.9, 0.6), 5),
    "last": ((0.5, 0.6, 0.9), 6),
    "first of equals": ((0.5, 0.9, 0.9), 5),
    "all equal": ((0.7, 0.7, 0.7), 4),
}


@pytest.mark.parametrize("name", BEST)
def test_the_best_seed_is_kept(
    name: str, texts: Setting, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, best = BEST[name]
    assert len(BEST) == 5
    validation = {(seed, OWN_RATE): value for seed, value in zip((4, 5, 6), values, strict=True)}
    test = {key: 1 - value for key, value in validation.items()}
    played = Played(validation, test)
    result = _play(played, texts, texts.plan(seeds=(4, 5, 6)), folder, monkeypatch)
    assert result.best_seed == best and _kept(folder)["seed"] == best


def test_goes_on_with_the_rate_that_was_chosen(
    texts: Setting, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validation = {(0, 0.3): 0.8, (1, 0.3): 0.9}
    plan = texts.plan(learning_rates=RATES, seeds=(0, 1, 2))
    stopped = Played(validation)
    stopped.stop_at = 4
    with pytest.raises(KeyboardInterrupt):
        _play(stopped, texts, plan, folder, monkeypatch)
    assert stopped.calls[3:] == [(1, 0.3)] and _kept(folder)["seed"] == 1
    gone_on = Played(validation)
    result = _play(gone_on, texts, plan, folder, monkeypatch)
    assert gone_on.calls == [(2, 0.3)]
    assert result.grid == {"0.1": 0.5, "0.2": 0.5, "0.3": 0.8}
    assert result.best_seed == 1 and _kept(folder)["seed"] == 1


def _other_data(setting: Setting) -> Setting:
    summary: DataSummary = replace(setting.data.summary, fingerprint="other")
    return replace(setting, data=replace(setting.data, summary=summary))


# name -> (what changes in the plan, seeds that train)
CHANGES: dict[str, tuple[dict[str, Any], list[int]]] = {
    "nothing": ({}, []),
    "one seed more": ({"seeds": (0, 1, 2)}, [2]),
    "other seeds": ({"seeds": (1, 2)}, [1, 2]),
    "other order": ({"seeds": (1, 0)}, [1, 0]),
    "other rate": ({"training": {"learning_rate": 1e-4}}, [0, 1]),
    "other batch": ({"batch_size": 4}, [0, 1]),
    "other metric": ({"metric": "f1_macro"}, [0, 1]),
    "other weights": ({"weights": "random"}, [0, 1]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_changed_plan_trains(
    name: str, texts: Setting, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(CHANGES) == 8
    changed, seeds = CHANGES[name]
    _play(Played(), texts, texts.plan(), folder, monkeypatch)
    played, plan = Played(), texts.plan(**changed)
    result = _play(played, texts, plan, folder, monkeypatch)
    assert [seed for seed, _ in played.calls] == seeds
    assert tuple(each.seed for each in result.seeds) == plan.seeds
    assert result.plan == plan


def test_goes_on_from_a_file_that_holds_no_history(
    texts: Setting, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _play(Played({(0, OWN_RATE): 0.9}), texts, texts.plan(seeds=(0,)), folder, monkeypatch)
    file = folder / "results" / "transfer.json"
    old = json.loads(file.read_text())
    assert old.pop("groups") and old.pop("transitions")
    file.write_text(json.dumps(old))
    monkeypatch.setattr(training, "train_once", Played())
    result = run(texts.plan(), results=file, model_dir=folder / "model", data=texts.data)
    # The best seed is one of which nothing is known.
    assert (result.best_seed, result.groups, result.transitions) == (0, ("body", "head"), ())


def test_other_data_or_a_lost_model_train_anew(
    texts: Setting, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _play(Played(), texts, texts.plan(), folder, monkeypatch)
    other = Played()
    result = _play(other, _other_data(texts), texts.plan(), folder, monkeypatch)
    assert len(other.calls) == 2 and result.data == "other"
    (folder / "model" / "config.json").unlink()
    lost = Played()
    _play(lost, _other_data(texts), texts.plan(), folder, monkeypatch)
    assert len(lost.calls) == 2


def test_the_last_model_is_replaced_as_a_whole(
    texts: Setting, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "shard-2.safetensors").write_text("of an earlier run")
    _play(Played(), texts, texts.plan(), folder, monkeypatch)


def test_a_model_that_cannot_be_written(
    texts: Setting, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(Played):
        def __call__(self, *given: Any) -> Trained:
            def save(_: Path) -> None:
                raise OSError(28, "No space left on device")

            return replace(super().__call__(*given), save=save)

    with pytest.raises(RecordError, match="No space left on device"):
        _play(Full(), texts, texts.plan(), folder, monkeypatch)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("seeds", [(), (1, 1)])
def test_seeds_each_once(seeds: tuple[int, ...], texts: Setting) -> None:
    with pytest.raises(ConfigError, match="each once"):
        run(texts.plan(seeds=seeds), data=texts.data)


def test_without_a_folder_nothing_is_written(texts: Setting, monkeypatch: Any) -> None:
    played = Played()
    monkeypatch.setattr(preparing, "prepare", lambda *_: (None, None))
    monkeypatch.setattr(training, "train_once", played)
    first, second = (run(texts.plan(), data=texts.data) for _ in range(2))
    assert first == second and len(played.calls) == 4
