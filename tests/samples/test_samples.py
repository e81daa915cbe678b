"""The packaged models and data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.samples import sample_checkpoint, sample_data
from hf_transfer_plugin.samples.docstrings import LIBRARIES


def test_minilm_loads_whole() -> None:
    from transformers import AutoModel

    folder = sample_checkpoint("sample:minilm")
    _, report = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]


def test_efficientnet_sees_what_is_in_a_photograph() -> None:
    from matplotlib import cbook
    from transformers import pipeline

    folder = sample_checkpoint("sample:efficientnet-lite0")
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert sample_checkpoint("sample:efficientnet-lite0") == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before
    photograph = str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    answers = pipeline("image-classification", model=str(folder))(photograph, top_k=3)
    assert "military uniform" in [answer["label"].split(",")[0] for answer in answers]


def test_mnist_is_stratified() -> None:
    data = sample_data("sample:mnist")
    assert {name: len(rows) for name, rows in data.items()} == {
        "train": 3000,
        "validation": 1000,
        "test": 1000,
    }
    for rows in data.values():
        assert len(set(Counter(rows["label"]).values())) == 1


def test_docstrings_hide_the_name_and_share_no_text() -> None:
    data = sample_data("sample:docstrings")
    texts = {name: list(rows["text"]) for name, rows in data.items()}
    every = [text for rows in texts.values() for text in rows]
    assert len(set(every)) == len(every)
    for name, rows in data.items():
        counts = Counter(rows["label"])
        assert len(counts) == len(LIBRARIES) and min(counts.values()) >= 80, name
        for text, label in zip(rows["text"], rows["label"], strict=True):
            assert LIBRARIES[label] not in text.lower()
    assert list(sample_data("sample:docstrings")["train"]["text"]) == texts["train"]


def test_class_names_and_size_survive_the_timm_wrapper(tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoImageProcessor

    found = Checkpoint("sample:efficientnet-lite0")
    model = found.classifier("image-classification", ["cat", "dog"], image_size=64)
    model.save_pretrained(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).id2label == {0: "cat", 1: "dog"}
    processor = AutoImageProcessor.from_pretrained(tmp_path)
    assert processor.data_config["input_size"] == (3, 64, 64)


@pytest.mark.parametrize("name", ["sample:minilm", "sample:efficientnet-lite0"])
def test_random_weights_are_fresh_and_seeded(name: str) -> None:
    import torch

    task = "text-classification" if "minilm" in name else "image-classification"
    found = Checkpoint(name)
    models = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        models.append(found.classifier(task, ["a", "b"], weights="random", image_size=None))  # type: ignore[arg-type]
    first, again, other = (dict(model.named_parameters()) for model in models)
    assert all(torch.equal(first[key], again[key]) for key in first)
    drawn = [key for key in first if not torch.equal(first[key], other[key])]
    assert len(drawn) >= 20


def test_a_wrapped_network_from_scratch_starts_as_its_authors_chose() -> None:
    found = Checkpoint("sample:efficientnet-lite0")
    model = found.classifier("image-classification", ["a", "b"], weights="random")
    weights = dict(model.named_parameters())
    # The wrapper alone would draw all of them with a standard deviation of 0.02.
    assert weights["timm_model.conv_stem.weight"].std() > 0.05
    assert weights["timm_model.blocks.5.2.conv_dw.weight"].std() > 0.2
