"""`hf-tl few-shot` and `hf-tl zero-shot`, from the command to a model that runs without them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from PIL import Image

from hf_transfer_plugin import FewShotResult, ZeroShotResult, few_shot
from hf_transfer_plugin.adapt.zero_shot import entailment_scores
from hf_transfer_plugin.few_labels.configs import load_few_shot
from hf_transfer_plugin.few_labels.learner import Learner
from tests.cli.conftest import Command
from tests.tiny_multimodal import clip_checkpoint, entailment_checkpoint
from tests.tiny_runs import image_checkpoint, texts, write_images, write_table

FEW: dict[str, Any] = {
    "task": "text-classification",
    "data": "texts",
    "checkpoint": "./bert",
    "run_folder": "few",
    "shots": [2],
    "draws": 2,
    "contrastive": {"steps": 2, "learning_rate": 1e-3},
}
ZERO: dict[str, Any] = {
    "task": "text-classification",
    "data": "texts",
    "checkpoint": "./bert",
    "run_folder": "zero",
    "method": "embeddings",
    "templates": ["{}", "{} film"],
}
PICTURES = {"path": "pictures", "validation_fraction": 0.2, "test_fraction": 0.4}


def _write(keys: Mapping[str, Any], **changed: Any) -> str:
    Path("labels.yaml").write_text(yaml.safe_dump({**keys, **changed}), encoding="utf-8")
    return "labels.yaml"


def _python_of(readme: Path, **replaced: str) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    for old, new in replaced.items():
        assert f'"{old}"' in code
        code = code.replace(f'"{old}"', new)
    return str(code)


def test_texts_from_the_command_to_a_model_alone(
    workplace: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = command("few-shot", _write(FEW))
    assert code == 0, err
    for part in ("Few labels: bert", "against probe", "kept: ", "rows held out of them: "):
        assert part in out, out
    assert err.count("contrastive, labels a class: 2, draw") == 2
    result = FewShotResult.load("few/few_shot.json")
    assert len(result.scores) == 2 * 3 and len(result.verdicts) == 2
    assert {each.verdict.baseline for each in result.verdicts} == {"probe"}
    assert {score.steps for score in result.scores} == {0, 2}
    with Image.open("few/few_shot.png") as picture:
        assert picture.width == 1200

    (kept,) = (s for s in result.of(result.kept, 2) if s.draw == 0)
    shown: dict[str, Any] = {"rows": texts(10, start=25)["text"]}
    replaced = {"model": '"few/model"', "a text": "*rows"}
    exec(_python_of(Path("few/model/README.md"), **replaced), shown)
    assert shown["labels"] == [result.class_names[index] for index in kept.predictions]

    again = few_shot(load_few_shot("labels.yaml"))  # from Python, without a command
    assert again.scores == result.scores
    code, out, err = command(*shlex.split(again.command)[1:])
    assert code == 0 and "kept: " in out, err

    data = ModelCard.load("few/model/README.md").data
    assert data.eval_results[0].metric_value == kept.test["accuracy"]
    assert (
        Path("few/model/plots/few_shot.png").read_bytes() == Path("few/few_shot.png").read_bytes()
    )

    # Picked up: what was measured is not measured again, and more shots are only added.
    before = {path.name: path.read_bytes() for path in Path("few/few_shot").iterdir()}
    Path("few/few_shot/probe-2-1.json").write_text("{")
    measured: list[tuple[str, int]] = []
    fit = Learner.fit

    def watched(self: Learner, method: Any, rows: Any, seed: int) -> Any:
        measured.append((method, len(rows)))
        return fit(self, method, rows, seed)

    monkeypatch.setattr(Learner, "fit", watched)
    code, _, err = command("few-shot", "labels.yaml", "shots=[2,3]", "methods=[probe]")
    assert code == 0, err
    # Two draws of three shots, the damaged one, and the model that is kept.
    assert measured == [("probe", 6), ("probe", 6), ("probe", 4), ("probe", 6)]
    assert FewShotResult.load("few/few_shot.json").held_out == {}
    after = {path.name: path.read_bytes() for path in Path("few/few_shot").iterdir()}
    del before["probe-2-1.json"]
    assert before.items() <= after.items()


def test_test_rows_choose_nothing(workplace: Path, command: Command) -> None:
    """With all test labels turned round the same method is chosen, and the same bytes kept."""
    kept = []
    for name in ("few", "turned"):
        if name == "turned":
            turned = texts(10, start=25)
            turned["label"] = ["good" if label == "bad" else "bad" for label in turned["label"]]
            write_table(workplace / "texts" / "test.parquet", turned)
        config = _write(FEW, shots=[4], methods=["prototypes", "probe"], run_folder=name)
        assert command("few-shot", config)[0] == 0
        result = FewShotResult.load(f"{name}/few_shot.json")
        weights = {path.name: path.read_bytes() for path in Path(name, "model").glob("*.safe*")}
        kept.append((result.kept, result.held_out, weights))
        scores = [score.test["accuracy"] for score in result.scores]
    assert kept[0] == kept[1] and len(kept[0][2]) == 2
    first = FewShotResult.load("few/few_shot.json").scores
    assert scores == pytest.approx([1 - score.test["accuracy"] for score in first])


@pytest.mark.parametrize("method", ["prototypes", "contrastive"])
def test_images_end_in_a_pipeline(method: str, workplace: Path, command: Command) -> None:
    write_images(workplace / "pictures", per_class=10)
    image_checkpoint(workplace / "resnet")
    images = {"task": "image-classification", "data": PICTURES, "checkpoint": "./resnet"}
    config = _write(FEW, **images, shots=[2], methods=[method])
    code, out, err = command("few-shot", config)
    assert code == 0, err
    assert f"kept: {method}, from draw 0 of 2 labels a class\n" in out
    result = FewShotResult.load("few/few_shot.json")
    shown: dict[str, Any] = {}
    paths = sorted((workplace / "pictures").rglob("*.png"))
    replaced = {"model": '"few/model"', "picture.png": repr(str(paths[0]))}
    exec(_python_of(Path("few/model/README.md"), **replaced), shown)
    answers = [shown["classify"](str(path))[0]["label"] for path in paths]
    truth = [path.parent.name for path in paths]
    right = np.mean([a == b for a, b in zip(answers, truth, strict=True)])
    # Bright against dark: whoever reads the features at all tells them apart.
    assert right >= 0.9 <= result.spread(result.kept, 2)[0]


MISTAKES: dict[str, tuple[str, list[str], str]] = {
    "too many shots": ("few-shot", ["shots=21"], "20 training examples of the class 'bad' for 21"),
    "one draw": ("few-shot", ["draws=1"], "draws: 1"),
    "a method": ("few-shot", ["methods=setfit"], "'prototypes' or 'probe' or 'contrastive'"),
    "no shots": ("few-shot", ["shots=[]"], "shots: []"),
    "an option": ("few-shot", ["contrastive.rows=1"], "contrastive.rows: 1"),
    "a key": ("few-shot", ["shot=3"], "unknown key shot; did you mean 'shots'?"),
    "no template": ("zero-shot", ["templates=film"], "templates: ['film']"),
    "a label": ("zero-shot", ["labels={goood: fine}"], "did you mean 'good'?"),
    "images for texts": ("zero-shot", ["method=image-text"], "method: image-text"),
    "no entailment": ("zero-shot", ["method=entailment"], "a classifier with the labels bad, good"),
    "no file": ("few-shot", ["data=nowhere"], "nowhere"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake: str, workplace: Path, command: Command) -> None:
    name, overrides, said = MISTAKES[mistake]
    config = _write(FEW if name == "few-shot" else ZERO)
    code, _, err = command(name, config, *overrides)
    assert code == 2 and said in err, err
    assert "expected: " in err and "to do: " in err and "Traceback" not in err
    assert not Path("few/few_shot.json").exists() and not Path("zero/zero_shot.json").exists()


def test_sentence_embeddings(workplace: Path, command: Command) -> None:
    code, out, err = command("zero-shot", _write(ZERO, even_prior=16))
    assert code == 0, err
    assert "scores centred over unlabelled rows" in out and "most frequent class 0.500" in out
    result = ZeroShotResult.load("zero/zero_shot.json")
    assert result.label_texts == (("bad", "bad film"), ("good", "good film"))
    # The class word is in every text, and weighs more than its fillers.
    assert result.test["accuracy"] >= 0.9
    assert command("zero-shot", "labels.yaml", "labels={bad: good, good: bad}")[0] == 0
    assert ZeroShotResult.load("zero/zero_shot.json").test["accuracy"] <= 0.1


def test_entailment(workplace: Path, command: Command) -> None:
    """The random network answers as it does without the pipeline."""
    model, tokenizer = entailment_checkpoint(workplace / "nli")
    config = _write(ZERO, checkpoint="./nli", method="entailment")
    code, _, err = command("zero-shot", config)
    assert code == 0, err
    result = ZeroShotResult.load("zero/zero_shot.json")
    premises = texts(10, start=25)["text"]
    odds = np.empty((len(premises), 2, 2))
    for index, hypotheses in enumerate(result.label_texts):
        for number, hypothesis in enumerate(hypotheses):
            pairs = [hypothesis] * len(premises)
            inputs = tokenizer(premises, pairs, padding=True, return_tensors="pt")
            logits = model(**inputs).logits.detach().numpy()
            odds[:, index, number] = logits[:, 2] - logits[:, 0]  # entailment, contradiction
    assert list(result.predictions) == odds.mean(2).argmax(1).tolist()
    scores = entailment_scores(model, tokenizer, premises, result.label_texts)
    assert np.allclose(scores, odds.mean(2), atol=1e-3) and scores.std(0).min() > 0.01


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_images_against_texts(kind: str, workplace: Path, command: Command) -> None:
    write_images(workplace / "pictures", per_class=6)
    names = clip_checkpoint(workplace / kind, kind)
    config = _write(
        ZERO,
        task="image-classification",
        data=PICTURES,
        checkpoint=f"./{kind}",
        method="image-text",
        templates=["a photo of {}"],
        labels={"dog": "good", "cat": "bad"},
    )
    code, out, err = command("zero-shot", config)
    assert code == 0, err
    assert f"Zero labels: {kind}, image-text" in out
    result = ZeroShotResult.load("zero/zero_shot.json")
    assert result.label_texts == (("a photo of bad",), ("a photo of good",))
    assert list(result.predictions) == names(workplace / "pictures", result)


def test_a_network_without_texts_is_refused(workplace: Path, command: Command) -> None:
    write_images(workplace / "pictures")
    image_checkpoint(workplace / "resnet")
    shutil.rmtree(workplace / "texts")
    images = {"task": "image-classification", "data": PICTURES, "checkpoint": "./resnet"}
    code, _, err = command("zero-shot", _write(ZERO, **images, method="image-text"))
    assert code == 2 and "is a ResNetModel, which reads no texts" in err


def test_the_record_is_plain_json(workplace: Path, command: Command) -> None:
    assert command("few-shot", _write(FEW, methods="prototypes", shots=1))[0] == 0
    record = json.loads(Path("few/few_shot.json").read_text())
    assert record["kept"] == "prototypes" and record["verdicts"] == []
    assert len(record["scores"][0]["predictions"]) == len(record["labels"]) == 20
