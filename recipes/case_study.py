# /// script
# requires-python = ">=3.11"
# dependencies = ["hf-transfer-plugin[demo]"]
# ///
r"""A case study: a ladder of rungs on the same data side by side, or domains judged in pairs.

The whole ladder of dogs and cats, hours on a processor:
    python recipes/case_study.py recipes/configs/cats_vs_dogs data.path=FOLDER

Two rungs of it, some minutes:
    python recipes/case_study.py recipes/configs/cats_vs_dogs --rungs a d data.path=FOLDER seeds=2

Every ordered pair of domains, judged against the target alone:
    python recipes/case_study.py recipes/configs/sentiment --data FOLDER

Rungs and seeds that are there already are not trained again. The folder of the study holds
table.json, table.md and pictures/; a folder for each rung holds its results and its kept model.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from case_studies.answers import TrainAnswers, train_answers
from case_studies.domain_page import domain_markdown
from case_studies.domain_study import QUESTIONS, DomainStudy, DomainTable, load_domain_study
from case_studies.domain_study import study as judge_domains
from case_studies.page import markdown
from case_studies.photographs import answer_grid, sure_mistakes
from case_studies.rung_pictures import curves_picture, roc_picture
from case_studies.study import Study, load_study
from case_studies.table import StudyTable, table_of

from hf_transfer_plugin import RunResult, load_data, run, session
from hf_transfer_plugin.data import TargetData
from hf_transfer_plugin.report.chart_confusion import confusion_picture
from hf_transfer_plugin.report.chart_heat_map import heat_map_chart
from hf_transfer_plugin.serialization import write_atomic


def main() -> None:
    """Train what the folder lacks, then write the table and the pictures."""
    parser = argparse.ArgumentParser(description="A ladder of plans, or domains in pairs")
    parser.add_argument("study", type=Path, help="such as recipes/configs/cats_vs_dogs")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="such as seeds=3")
    parser.add_argument("--rungs", nargs="+", default=[], help="or domains; default: all")
    parser.add_argument("--into", type=Path, help="in place of the study's run_folder")
    parser.add_argument("--data", type=Path, help="of domains: the folder that holds them")
    options = parser.parse_intermixed_args()

    overrides = [each for each in (*options.overrides, *options.rungs) if "=" in each]
    only = [each for each in options.rungs if "=" not in each]
    command = _command(sys.argv[1:])
    if (options.study / "pair.yaml").is_file():
        domains = load_domain_study(options.study, overrides, only, options.into, options.data)
        page = write_domains(domains, command)
    else:
        page = write_rungs(load_study(options.study, overrides, only, options.into), command)
    print(page, flush=True)


def _command(words: list[str]) -> str:
    """Return what repeats a study, in its own folder; a path of this machine becomes FOLDER."""
    said = []
    for before, word in zip(["", *words], words, strict=False):
        if before == "--into" or word.startswith("--into"):
            continue
        key, equals, value = word.rpartition("=")
        said.append(f"{key}{equals}FOLDER" if Path(value).is_absolute() else word)
    return shlex.join(["python", "recipes/case_study.py", *said])


def write_rungs(study: Study, command: str) -> str:
    """Train a ladder, write its table and pictures, and return the table as Markdown.

    Args:
        study: what to train.
        command: repeats it.
    """
    results: dict[str, RunResult] = {}
    trained: dict[str, TrainAnswers] = {}
    data: TargetData | None = None
    for rung in study.rungs:
        folder = study.folder / rung.name
        data = load_data(rung.config.data, rung.config.task)
        plan = rung.plan(folder)
        results[rung.name] = run(
            plan, results=folder / "result.json", model_dir=folder / "model", data=data
        )
        trained[rung.name] = train_answers(results[rung.name], data, folder, study.train_rows)
    assert data is not None
    counts = {role: len(rows) for role, rows in data.splits.items()}
    found = table_of(study, results, trained, counts, command)
    found.save(study.folder / StudyTable.file_name)
    page = markdown(found)
    write_atomic(study.folder / "table.md", page)
    for name, picture in _pictures(results, found.best, data).items():
        if picture is not None:
            write_atomic(study.folder / "pictures" / f"{name}.png", picture)
    return page


def write_domains(asked: DomainStudy, command: str) -> str:
    """Train and judge domains, write table and heat maps, and return the table as Markdown.

    Args:
        asked: which pairs.
        command: repeats it.
    """
    found = judge_domains(asked, command)
    found.save(asked.folder / DomainTable.file_name)
    page = domain_markdown(found)
    write_atomic(asked.folder / "table.md", page)
    for question, title in QUESTIONS.items():
        if verdicts := found.of(question):
            picture = heat_map_chart(verdicts, title).image
            write_atomic(asked.folder / "pictures" / f"{question}.png", picture)
    return page


def _pictures(
    results: dict[str, RunResult], best: str, data: TargetData
) -> dict[str, bytes | None]:
    images = data.task == "image-classification"
    return {
        "curves": curves_picture(results),
        "roc": roc_picture(results),
        "confusion": confusion_picture(results[best]).image,
        "answers": answer_grid(results[best], data) if images else None,
        "mistakes": sure_mistakes(results[best], data) if images else None,
    }


if __name__ == "__main__":
    with session():
        main()
