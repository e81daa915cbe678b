"""The images of train are changed in every plan of a run alike, and no others are."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hf_transfer_plugin import Augmentation, explain
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import Plan
from hf_transfer_plugin.report.rows import how_sentences
from hf_transfer_plugin.train.preparing import prepare
from hf_transfer_plugin.train.training_rows import training_rows
from tests.hub_models import make_report
from tests.train.settings import Rows, Setting

LIGHT = Augmentation.from_config("light")


def _plan(images: Setting, augment: Augmentation | None = LIGHT) -> Plan:
    plan = images.plan(prefix_cache=False, seeds=(0, 1))
    return replace(plan, data=replace(plan.data, augment=augment))


def _seen(images: Setting, plan: Plan) -> dict[bool, list[torch.Tensor]]:
    """Return the images of batches, by whether they are those of train, which has other numbers."""
    seen: dict[bool, list[torch.Tensor]] = {True: [], False: []}

    def see(rows: Rows) -> None:
        pixels = torch.stack([row["pixel_values"] for row in rows])
        seen[len(rows) in (8, 4)].append(pixels)

    images.train(plan, 0, see=see)
    return seen


def test_train_is_changed_and_nothing_else_and_controls_are_paired(images: Setting) -> None:
    plan = _plan(images)
    transfer, plain = _seen(images, plan), _seen(images, _plan(images, None))
    assert len(transfer[True]) == len(plain[True]) == 4 and len(plain[False]) >= 3
    for one, other in zip(transfer[False], plain[False], strict=True):
        assert torch.equal(one, other)
    for one, other in zip(transfer[True], plain[True], strict=True):
        assert float((one - other).abs().flatten(1).mean(1).min()) > 1e-3
    scratch = _seen(images, replace(plan, name="from-scratch", weights="random"))
    for one, other in zip(transfer[True], scratch[True], strict=True):
        assert torch.equal(one, other)


def test_kept_views_are_part_of_the_data_and_endless_ones_of_the_run(images: Setting) -> None:
    for views, shared in ((2, True), (None, False)):
        plan = _plan(images, replace(LIGHT, views=views))
        prepared = prepare(plan, images.data, ("train",))[1]
        first, second = (training_rows(plan, prepared, seed)[0][5] for seed in (0, 1))
        assert torch.equal(first["pixel_values"], second["pixel_values"]) == shared


def test_a_source_with_an_augmentation_of_its_own_is_refused(images: Setting) -> None:
    plan = _plan(images)
    with pytest.raises(ConfigError, match=r"move augment from plan\.source to plan\.data"):
        images.train(replace(plan, source=plan.data), 0)


def test_explanation_and_report_say_so(images: Setting) -> None:
    plan = _plan(images)
    told = f"raining images are augmented: {LIGHT.described}"
    assert any(told in each for each in explain(plan, train_examples=12).findings)
    report = make_report("image-classification")
    assert not any("augmented" in each for each in how_sentences(report))
    shown = replace(report.transfer, plan=replace(report.transfer.plan, data=plan.data))
    report = replace(report, results=(shown, *report.results[1:]))
    assert any(told in each for each in how_sentences(report))
