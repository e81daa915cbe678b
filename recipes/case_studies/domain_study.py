"""Does another domain help? Every ordered pair of domains, judged against the target alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from case_studies.study import FILE, check_known, read_study, unranked_plan
from hf_transfer_plugin import Plan, RunConfig, Verdict, controls, judge, load_config, run
from hf_transfer_plugin.environment import environment
from hf_transfer_plugin.records import RunResult
from hf_transfer_plugin.serialization import Record

__all__ = ["QUESTIONS", "DomainStudy", "DomainTable", "PairVerdict", "load_domain_study", "study"]

#: What is judged -> against what, in words.
QUESTIONS: Mapping[str, str] = {
    "source-and-target": "source and target against the target alone",
    "source-only": "the source alone against the target alone",
    "pretrained": "the pretrained network against the same one from scratch, on the target alone",
}
PRETRAINED = "pretraining"


@dataclass(frozen=True)
class DomainStudy:
    """Domains with the same classes, and data sets that have no such source.

    Attributes:
        folder: where everything of the study is written.
        pairs: (source, target) -> its config; a target by itself has the source "".
    """

    title: str
    note: str
    folder: Path
    pairs: Mapping[tuple[str, str], RunConfig]


@dataclass(frozen=True)
class PairVerdict(Record):
    """One judged pair.

    Attributes:
        question: key of `QUESTIONS`.
        source: a domain, or "pretraining".
        verdict: first side of the question minus the second one, in test accuracy of the target.
    """

    question: str
    source: str
    target: str
    verdict: Verdict


@dataclass(frozen=True)
class DomainTable(Record):
    """All verdicts of a study of domains."""

    file_name = "table.json"

    title: str
    note: str
    command: str
    pairs: tuple[PairVerdict, ...]
    environment: Mapping[str, str]

    def of(self, question: str) -> dict[tuple[str, str], Verdict]:
        """Return (source, target) -> verdict for one question."""
        return {
            (each.source, each.target): each.verdict
            for each in self.pairs
            if each.question == question
        }


def load_domain_study(
    folder: Path,
    overrides: Sequence[str] = (),
    only: Sequence[str] = (),
    into: Path | None = None,
    data: Path | None = None,
) -> DomainStudy:
    """Read a study of domains: study.yaml, pair.yaml and one config for each that stands alone.

    Args:
        folder: holds them.
        overrides: `key=value` for every config.
        only: domains that are wanted, as source and as target; none means all.
        into: where it is written, in place of its `run_folder`.
        data: folder of the data, in place of its `data`.

    Raises:
        ConfigError: for a file that cannot be read, an unknown key or an unknown domain.
    """
    keys = read_study(folder, "data", "domains", "alone")
    domains = [str(each) for each in keys.get("domains", ())]
    alone = [str(each) for each in keys.get("alone", ())]
    known = [*(Path(each).name for each in domains), *alone]
    check_known(only, known, f"{folder / FILE}: unknown domain")
    root = data or Path(str(keys.get("data", "data")))
    wanted = {
        Path(each).name: root / each for each in domains if not only or Path(each).name in only
    }
    pairs: dict[tuple[str, str], RunConfig] = {}
    for target, place in wanted.items():
        for source, other in wanted.items():
            words = [f"data.path={place}", f"source_data.path={other}", *overrides]
            name = "" if source == target else source
            pairs[name, target] = load_config(folder / "pair.yaml", words)
    for name in alone:
        if not only or name in only:
            words = [f"data.path={root / name}", *overrides]
            pairs["", name] = load_config(folder / f"{name}.yaml", words)
    return DomainStudy(
        title=str(keys["title"]),
        note=keys["note"],
        folder=into or Path(str(keys["run_folder"])),
        pairs=dict(sorted(pairs.items(), key=lambda each: each[0][0] != "")),
    )


def study(asked: DomainStudy, command: str) -> DomainTable:
    """Train what the folder lacks, and judge every pair.

    Args:
        asked: which pairs.
        command: repeats it.
    """
    alone: dict[str, RunResult] = {}
    judged: list[PairVerdict] = []
    for (source, target), config in asked.pairs.items():
        plans = _plans(config, source)
        folder = asked.folder / "results" / (f"{source}-to-{target}" if source else target)
        results = {plan.name: run(plan, results=folder / f"{plan.name}.json") for plan in plans}
        if not source:
            alone[target] = results["target-only"]
            verdict = judge(results["target-only"], results["from-scratch"], margin=config.margin)
            judged.append(PairVerdict("pretrained", PRETRAINED, target, verdict))
        else:
            judged += [
                PairVerdict(name, source, target, judge(each, alone[target], margin=config.margin))
                for name, each in results.items()
            ]
    return DomainTable(asked.title, asked.note, command, tuple(judged), environment())


def _plans(config: RunConfig, source: str) -> Sequence[Plan]:
    """Return the plans of a pair, or of a target by itself: with the network and from scratch."""
    plan = unranked_plan(config)
    if source:
        both: Any = replace(plan, labels="both", choose_by=None, name="source-and-target")
        return [both, *controls(both, ["source-only"])]
    by_itself = replace(plan, source=None, labels="target", choose_by=None, name="target-only")
    scratch = controls(by_itself, ["from-scratch"], learning_rates=config.control_learning_rates)
    return [by_itself, *scratch]
