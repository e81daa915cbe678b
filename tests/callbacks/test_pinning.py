"""Modules pinned in eval mode."""

from __future__ import annotations

import copy
import pickle

from torch import nn

from hf_transfer_plugin.callbacks.pinning import Pins


def network() -> nn.Sequential:
    return nn.Sequential(nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2)), nn.Dropout())


def test_pinned_modules_stay_in_eval() -> None:
    model, pins = network(), Pins("eval", False)
    pins.pin([model[0]])
    model.train()
    assert [m.training for m in model.modules()] == [True, False, False, False, True]
    pins.pin([model[1]])
    model.train()
    assert [m.training for m in model.modules()] == [True, True, True, True, False]
    pins.release(mode=True)
    assert all(m.training for m in model.modules())
    assert not any("train" in vars(m) for m in model.modules())


def test_copies_do_not_reach_back_to_the_model() -> None:
    model, pins = network(), Pins("eval", False)
    pins.pin([model[0]])
    twin = copy.deepcopy(model)
    unpickled = pickle.loads(pickle.dumps(model))
    pins.release(mode=True)
    twin.train()
    unpickled.train()
    assert model[0].training and not twin[0].training


def test_what_shadowed_train_before_comes_back() -> None:
    model, pins = network(), Pins("eval", False)
    calls: list[bool] = []

    def own(mode: bool = True) -> nn.Module:
        calls.append(mode)
        return model[0]

    object.__setattr__(model[0], "train", own)
    pins.pin([model[0]])
    model.train()
    pins.release(mode=True)
    assert vars(model[0])["train"] is own and calls == [True]
