"""Normalizations are folded into convolutions, give the same, and are put back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hf_transfer_plugin.prefix.folded_norms import folded_norms
from tests.callbacks.tiny import efficientnet, resnet


class Shared(nn.Module):
    """One convolution that two normalizations read, and one normalization that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1)
        self.one, self.two = nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        x = self.conv(pixel_values)
        x = self.one(x) + self.two(x)
        return self.two(self.last(x))


def _stirred(model: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    return model.eval()


@pytest.mark.parametrize("build", [resnet, efficientnet, Shared])
@torch.no_grad()
def test_the_same_features_with_fewer_normalizations(
    build: type[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _stirred(build())
    pixels = torch.randn(2, 3, 32, 32)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    called: list[int] = []
    own = nn.functional.batch_norm

    def counted(*args: object, **kwargs: object) -> torch.Tensor:
        called.append(1)
        return own(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(nn.functional, "batch_norm", counted)

    def run() -> torch.Tensor:
        called.clear()
        outputs = model(pixel_values=pixels)
        return outputs if isinstance(outputs, torch.Tensor) else outputs.logits

    plain, calls = run(), len(called)
    with folded_norms([model], run):
        folded = run()
        assert len(called) == (3 if build is Shared else 0)
        assert calls > 2
    torch.testing.assert_close(folded, plain, rtol=1e-4, atol=1e-5 * float(plain.abs().max()))
    assert torch.equal(run(), plain)
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())
