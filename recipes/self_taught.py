# /// script
# requires-python = ">=3.11"
# dependencies = ["hf-transfer-plugin[demo]"]
# ///
"""Pretrain a checkpoint further on your unlabelled texts, fine-tune with and without, and judge.

    python recipes/self_taught.py \
        --config recipes/configs/text_classification/trec6_self_taught.yaml

The texts of the train split are read without their labels; `data.train_examples` says how many
labelled rows fine-tuning gets. RUN_FOLDER gets what a run leaves there (report.html, the card
README.md, model/) and the pretrained checkpoint, pretrained/, which can be the `checkpoint` of any
config.
"""

from __future__ import annotations

import argparse
import shlex
import sys

from hf_transfer_plugin import load_config, self_taught, session


def main() -> None:
    """Read the config, pretrain, fine-tune twice with each seed, print the verdict."""
    parser = argparse.ArgumentParser(description="Further pretraining with a verdict")
    parser.add_argument("--config", required=True, help="a YAML file of configs/")
    parser.add_argument("--epochs", type=int, default=10, help="passes over the texts at most")
    parser.add_argument("--learning-rate", type=float, default=1e-4, help="of the pretraining")
    parser.add_argument("--max-length", type=int, default=128, help="tokens of a row")
    parser.add_argument("--mask-share", type=float, default=0.15, help="of the tokens")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="such as seeds=3")
    arguments = parser.parse_args()

    found = self_taught(
        load_config(arguments.config, arguments.overrides),
        command=shlex.join(["python", *sys.argv]),
        epochs=arguments.epochs,
        learning_rate=arguments.learning_rate,
        max_length=arguments.max_length,
        mask_share=arguments.mask_share,
    )
    masked, verdict = found.pretraining, found.verdict
    head = " (fresh head)" if masked.fresh_head else ""
    print(
        f"masked words: {masked.before:.3f} -> {masked.after:.3f} nats{head}, {masked.texts} texts"
    )
    for result in found.report.results:
        scores = result.scores()
        print(f"{result.plan.name:<20} test {result.plan.metric} {sum(scores) / len(scores):.4f}")
    print(
        f"{verdict.outcome} against {verdict.baseline}: {verdict.difference:+.4f} "
        f"[{verdict.lower:+.4f}, {verdict.upper:+.4f}], {verdict.seeds} paired seeds"
    )
    print(f"checkpoint: {found.folder}")
    print(f"report: {found.folder.parent / 'report.html'}")


if __name__ == "__main__":
    with session():
        main()
