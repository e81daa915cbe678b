# /// script
# requires-python = ">=3.11"
# dependencies = ["hf-transfer-plugin"]
# ///
"""Write the model card of a finished run into model_cards/, with its record and plots.

    python recipes/model_cards.py runs/docstrings runs/digits

No row of the data and no absolute path is in them, and of the confidences those alone that the card
reads: of the kept seed. A folder of model_cards/ itself is drawn anew
from its report.json, which is what a change of the card's words asks for:

    python recipes/model_cards.py model_cards/*/

README.md beside the cards is a table of them all, made from their records each time.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from hf_transfer_plugin import FewShotResult, Report, public_report, report_files, session
from hf_transfer_plugin.multitask_records import MultitaskReport
from hf_transfer_plugin.report.few_shot_card import few_shot_files
from hf_transfer_plugin.report.markdown import escape
from hf_transfer_plugin.report.public import public_record
from hf_transfer_plugin.report.rows import mean_words
from hf_transfer_plugin.report.task_card import TASKS_PLOT, task_files
from hf_transfer_plugin.report.words import bounds_words, points

CARDS = Path(__file__).parents[1] / "model_cards"
_HEAD = """# Cards of the recipes

Each folder is the card of a real run on two CPU cores, with the record it is drawn from
(a JSON file) and, at its end, the command that makes it again. Test metric, mean ± sd (seeds);
the difference is that to the control that decides, in points, with its interval. This table is
written by `python recipes/model_cards.py`.

| Card | Transfer | Control | Difference | Interval | Verdict |
|:---|:---|:---|---:|---:|:---|"""
_FEW_AND_SEVERAL = "## Few labels, and several tasks on one network"


def write_card(run_folder: Path, cards: Path) -> Path:
    """Write record, card and plots of a run into a folder named like it.

    Args:
        run_folder: holds report.json, few_shot.json or multitask.json.
        cards: holds the folders of cards.

    Returns:
        The folder that was written.
    """
    folder = cards / run_folder.resolve().name
    for name, content in _files(run_folder).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def _files(run_folder: Path) -> dict[str, bytes]:
    """Return relative path -> content; several tasks have a card each, in WAY/TASK."""
    if (run_folder / FewShotResult.file_name).is_file():
        return few_shot_files(FewShotResult.load(run_folder / FewShotResult.file_name))
    if (run_folder / MultitaskReport.file_name).is_file():
        return _task_files(run_folder)
    report = _committed(public_report(Report.load(run_folder / Report.file_name)))
    found = report_files(report)
    return {name: content for name, content in found.items() if name != "report.html"}


def _task_files(run_folder: Path) -> dict[str, bytes]:
    report = public_record(MultitaskReport.load(run_folder / MultitaskReport.file_name))
    picture = (run_folder / TASKS_PLOT).read_bytes()
    record = {MultitaskReport.file_name: report.to_text().encode(), TASKS_PLOT: picture}
    return record | task_files(report, picture)


def _committed(report: Report) -> Report:
    """Return a report without the confidences that nothing is drawn from, most of its bytes."""
    results = tuple(
        replace(
            result,
            seeds=tuple(
                seed
                if result is report.transfer and seed.seed == result.best_seed
                else replace(seed, confidences=())
                for seed in result.seeds
            ),
        )
        for result in report.results
    )
    return replace(report, results=results)


def write_index(cards: Path) -> Path:
    """Write README.md of a folder of cards: what each says, made from what lies there.

    Returns:
        The file that was written.
    """
    judged = sorted(path.parent for path in cards.glob(f"*/{Report.file_name}"))
    rows = "\n".join(map(_index_row, judged))
    others = sorted({*cards.rglob("README.md")} - {cards / "README.md"})
    lines = "\n".join(_index_line(card, cards) for card in others if card.parent not in judged)
    index = cards / "README.md"
    index.write_text(f"{_HEAD}\n{rows}\n\n{_FEW_AND_SEVERAL}\n\n{lines}\n", encoding="utf-8")
    return index


def _index_line(card: Path, cards: Path) -> str:
    """Return title, link and first sentence of a card of few labels or of one task."""
    body = card.read_text(encoding="utf-8").splitlines()
    title = next(line.removeprefix("# ") for line in body if line.startswith("# "))
    first = next(line.strip("*") for line in body if line.startswith("**"))
    return f"- [{title}]({card.relative_to(cards).as_posix()}): {first}"


def _index_row(folder: Path) -> str:
    report = Report.load(folder / Report.file_name)
    verdict = report.verdict
    control = next(one for one in report.controls if one.plan.name == verdict.baseline)
    figures = (
        f"{mean_words(report.transfer, verdict.confidence)} ({verdict.seeds})",
        f"{verdict.baseline} {mean_words(control, verdict.confidence)}",
        points(verdict.difference),
        bounds_words(verdict),
        verdict.outcome,
    )
    cells = (f"[{escape(report.title)}]({folder.name}/README.md)", *map(escape, figures))
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Write a card for each folder that is named."""
    parser = argparse.ArgumentParser(description="Model cards of finished runs")
    parser.add_argument("run_folder", nargs="+", type=Path, help="such as runs/docstrings")
    parser.add_argument("--into", type=Path, default=CARDS, help="model_cards/ without it")
    arguments = parser.parse_args()
    for run_folder in arguments.run_folder:
        print(write_card(run_folder, arguments.into), flush=True)
    print(write_index(arguments.into), flush=True)


if __name__ == "__main__":
    with session():
        main()
