"""Measure how much faster convolutions of a processor are when channels lie beside each other.

All of it, some minutes on one core:
    python recipes/benchmarks/image_layout.py --out RESULTS.jsonl
    python recipes/benchmarks/image_layout.py --table --out RESULTS.jsonl

A first look:
    python recipes/benchmarks/image_layout.py --networks tf_efficientnet_lite0 --repeats 1

`prepare_images` hands a network such batches. Both layouts take turns on the same images in one
process; times are medians. Weights are drawn at random, which take as long as others. Nothing
but the order of additions within a convolution differs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from statistics import median

import timm
import torch
from measured.kept_lines import Line, add_file_options, measured_lines
from measured.table import Table
from measured.turns import seconds_in_turns
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
    add_file_options(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    def measure() -> Iterator[Line]:
        for name in options.networks:
            for line in _lines(name, options.batch, options.image_size, options.repeats):
                yield {"threads": options.threads, "batch": options.batch, **line}

    lines = measured_lines(options, measure)
    title = f"Images a second, batches of {lines[0]['batch']}, {lines[0]['threads']} thread"
    headers = ("network", "what", *LAYOUTS, "ratio", "largest difference of a logit")
    print(Table(title, headers, tuple(map(_row, lines))).markdown())


def _row(line: Line) -> tuple[str, ...]:
    first, last = (line["batch"] / median(line[name]) for name in LAYOUTS)
    speeds = (f"{first:.1f}", f"{last:.1f}", f"{last / first:.2f}")
    return line["network"], line["what"], *speeds, f"{line['difference']:.0e}"


def _lines(name: str, batch: int, size: int, repeats: int) -> Iterator[Line]:
    torch.manual_seed(0)
    model = timm.create_model(name)
    images = torch.randn(batch, 3, size, size)
    inputs = {key: images.contiguous(memory_format=value) for key, value in LAYOUTS.items()}
    answers = [_predict(model, each) for each in inputs.values()]
    difference = float((answers[0] - answers[1]).abs().max())
    for what, work in (("predict", _predict), ("train all weights", _train)):
        ways = {key: partial(work, model, value) for key, value in inputs.items()}
        seconds = seconds_in_turns(ways, repeats)
        yield {"network": name, "what": what, "difference": difference, **seconds}


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
