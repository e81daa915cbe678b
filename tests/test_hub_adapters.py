"""Publishing an adapter that is kept alone: it must name a checkpoint that others have."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForSequenceClassification

from hf_transfer_plugin.hub import publish
from hf_transfer_plugin.records import Adapter, Report
from hf_transfer_plugin.train import run
from tests.hub_fixtures import refused
from tests.hub_models import make_report
from tests.hub_server import HubServer
from tests.train.conftest import texts as texts
from tests.train.settings import Setting

REPO = "tester/tiny-adapter"


@pytest.fixture(scope="module")
def adapter_dir(texts: Setting, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained adapter on a checkpoint in a local folder."""
    folder = tmp_path_factory.mktemp("adapter") / "model"
    plan = texts.plan(adapter=Adapter("lora", keep="adapter"), seeds=(0,))
    run(plan, model_dir=folder, data=texts.data)
    return folder


def _report(checkpoint: str) -> Report:
    report = make_report(title="Tiny adapter")
    adapter = Adapter("lora", keep="adapter")
    plan = replace(report.transfer.plan, adapter=adapter, checkpoint=checkpoint)
    return replace(report, results=(replace(report.transfer, plan=plan), *report.controls))


def test_the_checkpoint_gets_the_name_that_others_know(
    hub: HubServer, adapter_dir: Path, texts: Setting, tmp_path: Path
) -> None:
    publish(_report("org/tiny"), adapter_dir, REPO)
    folder = tmp_path / "down"
    folder.mkdir()
    for name, content in hub.store.files(REPO).items():
        if "/" not in name:
            (folder / name).write_bytes(content)
    text = (folder / "adapter_config.json").read_text()
    assert json.loads(text)["base_model_name_or_path"] == "org/tiny"
    assert str(texts.checkpoint) not in text
    logits = []
    for each in (folder, adapter_dir):
        network: Any = AutoModelForSequenceClassification.from_pretrained(
            texts.checkpoint, config=AutoConfig.from_pretrained(each)
        )
        model = PeftModel.from_pretrained(network, str(each)).eval()
        with torch.no_grad():
            logits.append(model(input_ids=torch.tensor([[4, 6, 5]])).logits)
    assert torch.equal(*logits)


def test_without_such_a_name_nothing_is_published(hub: HubServer, adapter_dir: Path) -> None:
    error = refused(lambda: publish(_report("/home/me/bert"), adapter_dir, REPO), hub.token)
    assert "on this machine alone" in error.arrived and "merged" in error.action
    assert "/home/me" not in str(error)
