"""Measure how much faster convolutions of a processor are when channels lie beside each other.

All of it, some minutes on one core:
    python recipes/benchmarks/image_layout.py

A first look:
    python recipes/benchmarks/image_layout.py --networks efficientnet-lite0 --repeats 1

`prepare_images` hands a network such batches. Both layouts take turns on the same images in one
process; times are medians. Nothing but the order of additions within a convolution differs.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from measured.table import Table
from transformers import (
    AutoModelForImageClassification,
    ResNetConfig,
    ResNetForImageClassification,
    ViTConfig,
    ViTForImageClassification,
)

from hf_transfer_plugin.samples import sample_checkpoint

LAYOUTS = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}


def _efficientnet() -> Any:
    folder = sample_checkpoint("sample:efficientnet-lite0")
    return AutoModelForImageClassification.from_pretrained(folder)


def _small_vit() -> Any:
    sizes: dict[str, int] = {"hidden_size": 384, "intermediate_size": 1536}
    return ViTForImageClassification(ViTConfig(**sizes, num_attention_heads=6, num_labels=1000))


#: Weights that are drawn at random take as long as others.
NETWORKS: dict[str, Callable[[], Any]] = {
    "efficientnet-lite0": _efficientnet,
    "resnet-50": lambda: ResNetForImageClassification(ResNetConfig(num_labels=1000)),
    "vit-small": _small_vit,
}


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="Channels first and channels last")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--image-size", type=int, default=224, help="pixels of a side")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    for name in options.networks:
        rows += _rows(name, options.batch, options.image_size, options.repeats)
    title = f"Images a second, batches of {options.batch}, {options.threads} thread"
    headers = ("network", "what", *LAYOUTS, "ratio", "largest difference of a logit")
    print(Table(title, headers, tuple(rows)).markdown())


def _rows(name: str, batch: int, size: int, repeats: int) -> list[tuple[str, ...]]:
    torch.manual_seed(0)
    model = NETWORKS[name]()
    images = torch.randn(batch, 3, size, size)
    inputs = {key: images.contiguous(memory_format=value) for key, value in LAYOUTS.items()}
    answers = [_predict(model, each) for each in inputs.values()]
    difference = f"{float((answers[0] - answers[1]).abs().max()):.0e}"
    found = []
    for what, work in (("predict", _predict), ("train all weights", _train)):
        seconds: dict[str, list[float]] = {key: [] for key in inputs}
        for repeat in range(repeats + 1):
            for key, each in inputs.items():
                start = time.perf_counter()
                work(model, each)
                if repeat:  # the first warms up
                    seconds[key].append(time.perf_counter() - start)
        first, last = (batch / statistics.median(each) for each in seconds.values())
        row = (name, what, f"{first:.1f}", f"{last:.1f}", f"{last / first:.2f}", difference)
        found.append(row)
    return found


def _predict(model: Any, images: torch.Tensor) -> torch.Tensor:
    model.eval()
    with torch.inference_mode():
        return torch.Tensor(model(pixel_values=images).logits)


def _train(model: Any, images: torch.Tensor) -> None:
    model.train()
    labels = torch.zeros(len(images), dtype=torch.long)
    model(pixel_values=images, labels=labels).loss.backward()
    model.zero_grad()


if __name__ == "__main__":
    main()
