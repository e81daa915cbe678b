"""What a benchmark of single steps on drawn tokens is asked for."""

from __future__ import annotations

import argparse

import torch

from measured.kept_lines import add_file_options

__all__ = ["step_options"]


def step_options(description: str) -> argparse.Namespace:
    """Read what the command line asks for, and set the threads.

    Args:
        description: of the benchmark, for --help.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--checkpoint", default="sample:minilm", help="built like BERT")
    parser.add_argument("--lengths", nargs="+", type=int, default=[64, 128], help="tokens of a row")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    add_file_options(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    return options
