"""Measure how much faster convolutions of a processor are when channels lie beside each other.

All of it, some minutes on one core:
    python recipes/benchmarks/image_layout.py

A first look:
    python recipes/benchmarks/image_layout.py --networks tf_efficientnet_lite0 --repeats 1

`prepare_images` hands a network such batches. Both layouts take turns on the same images in one
process; times are medians. Weights are drawn at random, which take as long as others. Nothing
but the order of additions within a convolution differs.
"""

from __future__ import annotations

import argparse
from functools import partial

import timm
import torch
from measured.table import Table
from measured.turns import median_seconds
from torch import nn

LAYOUTS = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}
NETWORKS = ("tf_efficientnet_lite0", "resnet50", "vit_small_patch16_224")


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="Channels first and channels last")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, help="names of timm")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--image-size", type=int, default=224, help="pixels of a side")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows: list[tuple[str, ...]] = []
    for name in options.networks:
        rows += _rows(name, options.batch, options.image_size, options.repeats)
    title = f"Images a second, batches of {options.batch}, {options.threads} thread"
    headers = ("network", "what", *LAYOUTS, "ratio", "largest difference of a logit")
    print(Table(title, headers, tuple(rows)).markdown())


def _rows(name: str, batch: int, size: int, repeats: int) -> list[tuple[str, ...]]:
    torch.manual_seed(0)
    model = timm.create_model(name)
    images = torch.randn(batch, 3, size, size)
    inputs = {key: images.contiguous(memory_format=value) for key, value in LAYOUTS.items()}
    answers = [_predict(model, each) for each in inputs.values()]
    difference = f"{float((answers[0] - answers[1]).abs().max()):.0e}"
    found: list[tuple[str, ...]] = []
    for what, work in (("predict", _predict), ("train all weights", _train)):
        seconds = median_seconds({k: partial(work, model, v) for k, v in inputs.items()}, repeats)
        first, last = (batch / each for each in seconds.values())
        speeds = (f"{first:.1f}", f"{last:.1f}", f"{last / first:.2f}")
        found.append((name, what, *speeds, difference))
    return found


def _predict(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    model.eval()
    with torch.inference_mode():
        return torch.Tensor(model(images))


def _train(model: nn.Module, images: torch.Tensor) -> None:
    model.train()
    labels = torch.zeros(len(images), dtype=torch.long)
    nn.functional.cross_entropy(model(images), labels).backward()
    model.zero_grad()


if __name__ == "__main__":
    main()
