# /// script
# requires-python = ">=3.11"
# dependencies = ["hf-transfer-plugin[demo]"]
# ///
"""Transfer an image checkpoint to your classes, and prove whether it helped.

One process:
    python recipes/image_classification.py --config recipes/configs/image_classification/pets37.yaml

With the processes that `accelerate config` has set up (one for each GPU, say):
    accelerate launch recipes/image_classification.py --config YOUR.yaml
"""

from __future__ import annotations

import argparse
import shlex
import sys

from hf_transfer_plugin import Line, load_config, require_processes, rescue, session


def main() -> None:
    """Read the config, then go down the line: rank, plan, train with controls, judge, report."""
    parser = argparse.ArgumentParser(description="Image classification with a verdict")
    parser.add_argument("--config", required=True, help="a YAML file of configs/")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="such as seeds=3")
    arguments = parser.parse_args()

    config = load_config(arguments.config, arguments.overrides, task="image-classification")
    print(f"world size: {require_processes(config.processes)}", flush=True)

    line = Line(config, command=shlex.join(["python", *sys.argv]))
    ranking = line.rank()  # what: ranking.json
    print(f"best checkpoint: {ranking.candidates[0].checkpoint}", flush=True)
    print(line.explain(), flush=True)  # how: plan.json
    verdict = line.judge()  # when: results/*.json, model/, verdict.json
    if line.run()[0].handed_over():  # watch: rescue
        rescue(line)  # rescue.json, rescued/
    line.report()  # report.html, README.md (the card), plots/
    print(f"{verdict.outcome} against {verdict.baseline}: {verdict.difference:+.4f}", flush=True)


if __name__ == "__main__":
    with session():
        main()
