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

from hf_transfer_plugin import Report, public_report, report_files, session
from hf_transfer_plugin.report.markdown import escape
from hf_transfer_plugin.report.rows import mean_words
from hf_transfer_plugin.report.words import has_interval, points

CARDS = Path(__file__).parents[1] / "model_cards"
_INDEX_HEAD = """# Cards of the recipes

Each folder is the card of a real run on two CPU cores, with the record it is drawn from
(`report.json`) and, at its end, the command that makes it again. Test metric, mean ± sd (seeds);
the difference is that to the control that decides, in points, with its interval. This table is
written by `python recipes/model_cards.py`.

| Card | Transfer | Control | Difference | Interval | Verdict |
|:---|:---|:---|---:|---:|:---|"""


def write_card(run_folder: Path, cards: Path) -> Path:
    """Write README.md, report.json and plots/ of a run into a folder named like it.

    Args:
        run_folder: holds report.json.
        cards: holds the folders of cards.

    Returns:
        The folder that was written.
    """
    report = _committed(public_report(Report.load(run_folder / Report.file_name)))
    folder = cards / run_folder.resolve().name
    for name, content in report_files(report).items():
        if name != "report.html":
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return folder


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
    """Write README.md of a folder of cards: a row for each, from its report.json.

    Returns:
        The file that was written.
    """
    folders = sorted(path.parent for path in cards.glob(f"*/{Report.file_name}"))
    index = cards / "README.md"
    rows = "\n".join(map(_index_row, folders))
    index.write_text(f"{_INDEX_HEAD}\n{rows}\n", encoding="utf-8")
    return index


def _index_row(folder: Path) -> str:
    report = Report.load(folder / Report.file_name)
    verdict = report.verdict
    control = next(one for one in report.controls if one.plan.name == verdict.baseline)
    figures = (
        f"{mean_words(report.transfer, verdict.confidence)} ({verdict.seeds})",
        f"{verdict.baseline} {mean_words(control, verdict.confidence)}",
        points(verdict.difference),
        f"{points(verdict.lower)} to {points(verdict.upper)}" if has_interval(verdict) else "–",
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
