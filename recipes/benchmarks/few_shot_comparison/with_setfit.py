"""SetFit on one draw, run by a python that has it: job.json in, result.json out.

    PYTHON with_setfit.py job.json result.json

Nothing of this repository is imported, so the environment needs setfit and nothing else.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments


def main() -> None:
    """Train with SetFit's own defaults, but for the number of pairs, and name the test rows."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    model = SetFitModel.from_pretrained(job["checkpoint"], device="cpu")
    model.model_body.max_seq_length = job["max_length"]
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            num_iterations=job["iterations"],
            seed=job["seed"],
            max_length=job["max_length"],
            save_strategy="no",
            report_to="none",
        )
        rows = Dataset.from_dict({"text": job["texts"], "label": job["labels"]})
        trainer = Trainer(model=model, args=arguments, train_dataset=rows, metric=_accuracy)
        wall, cpu = time.perf_counter(), time.process_time()
        trainer.train()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    answers = model.predict(job["test"], show_progress_bar=False).tolist()
    steps = -(-2 * job["iterations"] * len(job["texts"]) // arguments.batch_size[0])
    result = {"predictions": answers, "seconds": wall, "cpu_seconds": cpu, "steps": steps}
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")


def _accuracy(answers: Any, labels: Any) -> dict[str, float]:
    # The metric's name would be looked up on the Hub.
    return {"accuracy": float((torch.tensor(answers) == torch.tensor(labels)).float().mean())}


if __name__ == "__main__":
    main()
