"""From a transfer that may harm down to something that does not: the ladder of rescues."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hf_transfer_plugin.alarms import Watch
from hf_transfer_plugin.decide.gate import gate
from hf_transfer_plugin.decide.verdict import judge
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.kept_models import keep_model
from hf_transfer_plugin.ladder.rungs import RUNGS, Ground, Tried
from hf_transfer_plugin.line import Line
from hf_transfer_plugin.processes import is_first, wait_for_all
from hf_transfer_plugin.records import Plan, Rescue, RunResult, Verdict
from hf_transfer_plugin.rescue_records import Rung, RungName
from hf_transfer_plugin.train import run
from hf_transfer_plugin.train.baselines import BASELINE_PREFIX

__all__ = ["rescue"]

_log = logging.getLogger(__name__)
_LAST: RungName = "return-control"


def rescue(line: Line, after_rung: Callable[[Rung], None] = lambda _: None) -> Rescue:
    """Climb down from a transfer that is no `go` until a rung is not worse than the control.

    The rungs are, in this order: LP-FT, WiSE-FT, greedy soup of the seeds, adapter only, frozen
    probe, and the control itself, which cannot harm. A rung is accepted when the lower end of the
    paired t-interval of rung - control over the seeds, on validation, is above -margin; the first
    one ends the ladder. Nothing of the test split enters a decision: it is read once, for the
    rung that was accepted, and judged.

    Each rung is written to rescue.json, so a ladder that was killed goes on; the weights that
    come of it are written to rescued/ beside the model/ of the transfer.

    Examples:
        >>> rescue(Line(load_config("config.yaml"))).accepted.name
        'lp-ft'

    Args:
        line: the run; it is judged first, as far as that is not done.
        after_rung: is given each rung that is new.

    Returns:
        The ladder; without a rung when the verdict is `go`.

    Raises:
        ConfigError: when transfer and control validate on the rows of different domains.

    References:
        Kumar et al. (2022), LP-FT; Wortsman et al. (2022), WiSE-FT; Wortsman et al. (2022),
        "Model soups".
    """
    ladder = _Ladder(line, line.judge())
    _check_alike(line.plan(), ladder.control.plan)
    return ladder.climb(after_rung)


def _check_alike(transfer: Plan, control: Plan) -> None:
    """Require a control whose validation rows are those of the rungs."""
    if (transfer.labels, transfer.choose_by is None) != (control.labels, control.choose_by is None):
        raise ConfigError(
            arrived=f"a rescue from {transfer.name} with labels: {transfer.labels} to the control "
            f"{control.name} with labels: {control.labels}",
            expected="a control that validates on the same rows, such as source-only: rungs are "
            "compared with it on validation",
            action="put another control first in `controls`",
        )


@dataclass(frozen=True)
class _Ladder:
    """One line with the verdict that began its ladder."""

    line: Line
    harm: Verdict

    @property
    def folder(self) -> Path:
        return self.line.folder / "rescue"

    @property
    def control(self) -> RunResult:
        """Return the control that decides."""
        names = {result.plan.name: result for result in self.line.run()}
        return names[self.harm.baseline]

    @property
    def ground(self) -> Ground:
        plan = self.line.plan()
        # A rung that an alarm ends early may lack the start of its last phase.
        watch: Watch = "off" if plan.watch == "off" else "warn"
        plan = replace(plan, seeds=self.seeds, watch=watch)
        return Ground(plan, self.line.data, self.folder)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Return the paired seeds; with planned looks the control may have fewer than transfer."""
        return tuple(each.seed for each in self.control.seeds)

    def climb(self, after_rung: Callable[[Rung], None]) -> Rescue:
        held = self.line.rescued(self.harm)
        if held is None:
            held = Rescue(self.harm, self._of_control(), finished=self.harm.go)
            self._store(held)
        tried: Tried | None = None
        while not held.finished and held.accepted is None:
            rung, tried = self._try((*RUNGS, _LAST)[len(held.rungs)])
            _log.info("%s: %s", rung.name, rung.why)
            held = replace(held, rungs=(*held.rungs, rung))
            self._store(held)
            after_rung(rung)
        if held.finished or held.accepted is None:
            return held
        return self._finish(held, held.accepted.name, tried)

    def _of_control(self) -> tuple[float, ...]:
        """Return the validation metric of the control with each seed, in the order of the plan."""
        return tuple(each.validation[self.harm.metric] for each in self.control.seeds)

    def _try(self, name: RungName) -> tuple[Rung, Tried | None]:
        """Measure a rung on validation and gate it."""
        start = time.perf_counter()
        if name == _LAST:
            why = "it is what the transfer was compared with, so it cannot harm"
            return Rung(name, True, why, self._of_control(), 0.0, 0.0, 0.0), None
        tried = RUNGS[name](self.ground)
        if isinstance(tried, str):
            return Rung(name, False, f"skipped: {tried}", seconds=_since(start)), None
        scores = tuple(each.validation[self.harm.metric] for each in tried.result.seeds)
        margin, confidence = self.harm.margin, self.harm.confidence
        found = gate(scores, self._of_control(), margin=margin, confidence=confidence)
        side = "above" if found.accepted else "not above"
        return Rung(
            name,
            found.accepted,
            f"lower end {found.lower:+.4f} is {side} {0.0 - margin:g} on validation",
            scores,
            found.difference,
            found.lower,
            found.upper,
            tried.chosen,
            _since(start),
        ), tried

    def _finish(self, held: Rescue, accepted: RungName, tried: Tried | None) -> Rescue:
        """Read the test split once for what was accepted, and write its weights."""
        if accepted == _LAST:
            held = replace(held, kept_seed=self._write_control(), finished=True)
        else:
            # A ladder that was killed here finds what it trained, and averages it again.
            again = tried or RUNGS[accepted](self.ground)
            assert isinstance(again, Tried)
            held = replace(self._tested(held, again), finished=True)
        self._store(held)
        if is_first():
            shutil.rmtree(self.folder, ignore_errors=True)
        wait_for_all()
        return held

    def _tested(self, held: Rescue, tried: Tried) -> Rescue:
        result, models = tried.result, tried.models
        kept = result.best_seed
        keep_model(lambda folder: models.save(tried.weights(kept), folder), self._rescued)
        seeds = result.seeds[:1] if tried.shared else result.seeds
        read = [models.answered(each, tried.weights(each.seed)) for each in seeds]
        if tried.shared:
            read = [replace(read[0], seed=each.seed) for each in result.seeds]
        labels = self.line.data.labels("test")
        result = replace(result, seeds=tuple(read), labels=labels)
        if is_first():
            result.save(self.line.folder / "results" / "rescued.json")
        verdict = judge(
            result,
            self.control,
            margin=self.harm.margin,
            confidence=self.harm.confidence,
            sequential=self.harm.sequential,
        )
        return replace(held, verdict=verdict, kept_seed=kept)

    def _write_control(self) -> int | None:
        """Train the best seed of the control again, whose weights no run keeps."""
        control = self.control
        if control.plan.checkpoint.startswith(BASELINE_PREFIX):
            return None
        rates = (control.seeds[0].learning_rate,)
        run(
            replace(control.plan, seeds=(control.best_seed,), learning_rates=rates),
            results=self.folder / "control.json",
            model_dir=self._rescued,
            test=False,
            data=self.line.data,
            logs_dir=self.line.folder / "logs" / self.folder.name,
        )
        return control.best_seed

    @property
    def _rescued(self) -> Path:
        return self.line.folder / "rescued"

    def _store(self, held: Rescue) -> None:
        if is_first():
            held.save(self.line.folder / Rescue.file_name)
        wait_for_all()


def _since(start: float) -> float:
    return time.perf_counter() - start
