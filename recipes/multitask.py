# /// script
# requires-python = ">=3.11"
# dependencies = ["hf-transfer-plugin[demo]"]
# ///
"""Train several tasks on one network, and prove for each whether that beats training it alone.

One process:
    python recipes/multitask.py --config recipes/configs/multitask/docstrings.yaml

Two processes on a CPU (the flags keep the launcher from starting one process silently):
    accelerate launch --config_file recipes/accelerate/cpu_2_processes.yaml \
        recipes/multitask.py --config recipes/configs/multitask/docstrings.yaml
"""

from __future__ import annotations

import argparse
import shlex
import sys

from hf_transfer_plugin import MultitaskLine, load_multitask_config, require_processes, session


def main() -> None:
    """Read the config, then train each way and each task alone, judge task by task, report."""
    parser = argparse.ArgumentParser(description="Several tasks on one network, with verdicts")
    parser.add_argument("--config", required=True, help="a YAML file of configs/multitask/")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="such as seeds=3")
    arguments = parser.parse_args()

    config = load_multitask_config(arguments.config, arguments.overrides)
    print(f"world size: {require_processes(config.processes)}", flush=True)

    line = MultitaskLine(config, command=shlex.join(["python", *sys.argv]))
    report = line.report()  # results/, models/WAY/TASK, multitask.json, plots/tasks.png
    for way, verdicts in report.verdicts.items():
        for task, each in verdicts.items():
            print(f"{way}, {task}: {each.outcome}, {each.difference:+.4f}", flush=True)
        harmed = ", ".join(report.harmed[way]) or "none"
        print(f"{way}, negative transfer: {harmed}", flush=True)


if __name__ == "__main__":
    with session():
        main()
