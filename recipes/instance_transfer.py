# /// script
# requires-python = ">=3.11"
# dependencies = ["hf-transfer-plugin[demo]"]
# ///
"""Use the labelled rows of a source by how much they look like the target, and judge it.

    python recipes/instance_transfer.py \
        --config recipes/configs/instance_transfer/electronics_to_books.yaml

Compares, on frozen features and with few target labels: the target alone, source and target
together, weights by density ratio and by kernel mean matching, and TrAdaBoost.
"""

from __future__ import annotations

import argparse

from hf_transfer_plugin import instance_transfer, load_instance_config, session


def main() -> None:
    """Read the config, compare, print the table and where the weights lie."""
    parser = argparse.ArgumentParser(description="Instance transfer with a verdict")
    parser.add_argument("--config", required=True, help="a YAML file of configs/instance_transfer")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="such as seeds=3")
    arguments = parser.parse_args()

    found = instance_transfer(load_instance_config(arguments.config, arguments.overrides))
    target_only, *_ = found.results
    print(f"{'way':<20}{'test accuracy':>14}  against {target_only.plan.name}")
    for result in found.results:
        name, scores = result.plan.name, result.scores()
        line = f"{name:<20}{sum(scores) / len(scores):>14.4f}"
        if name in found.verdicts:
            verdict = found.verdicts[name]
            line += f"  {verdict.difference:+.4f} [{verdict.lower:+.4f}, {verdict.upper:+.4f}]"
            line += f"  {verdict.outcome}"
        print(line)
    for name, weights in found.weights.items():
        rows = len(weights.values)
        print(f"{name}: {rows:,} source rows count as {weights.effective_size:,.1f}")
    print("written: " + ", ".join(str(file) for file in found.files))


if __name__ == "__main__":
    with session():
        main()
