"""HOW, proposed for a run: facts of its folder to proposal.json."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hf_transfer_plugin.config import RunConfig
from hf_transfer_plugin.data import TargetData
from hf_transfer_plugin.layer_profile_record import LayerProfile
from hf_transfer_plugin.made_once import made_once
from hf_transfer_plugin.proposal_records import Proposal
from hf_transfer_plugin.proposals.gathering import class_rows, gather
from hf_transfer_plugin.proposals.piloting import check_pilot, pilot_training, piloted
from hf_transfer_plugin.proposals.proposing import planned, propose
from hf_transfer_plugin.records import Plan, Ranking

__all__ = ["came_from", "proposed"]


def proposed(
    config: RunConfig,
    data: TargetData,
    ranking: Ranking,
    budget_minutes: float | None = None,
    pilot: bool = False,
    *,
    earlier: bool = False,
) -> tuple[Proposal, Plan]:
    """Return the proposal of a run folder, and its plan; what rests on the same facts stays.

    Args:
        config: says what stays as it is written, and where the folder is.
        data: its rows.
        ranking: has scored its checkpoint.
        budget_minutes: of training the transfer with all its seeds, pilot included.
        pilot: let short trainings choose among the best options.
        earlier: a proposal that was made within another budget will do.

    Raises:
        LaunchError: for a pilot in several processes.
    """
    if pilot:
        check_pilot()
    folder, plan = Path(config.run_folder), config.plan(ranking)
    profile = _profile(folder, data)
    facts = gather(plan, data, ranking, config.kept, profile=profile, budget_minutes=budget_minutes)

    def fits(held: Proposal) -> bool:
        budget = held.facts.budget_minutes if earlier else budget_minutes
        same = replace(facts, budget_minutes=budget) == held.facts
        return same and (held.pilot is not None or not pilot)

    def make() -> Proposal:
        found = propose(facts)
        if not pilot:
            return found
        rows = len(data.splits[plan.choosing_split])
        return piloted(found, plan, rows, pilot_training(data, folder / "pilot"))

    found = made_once(folder, Proposal, fits, make)
    return found, planned(found.option, plan)


def came_from(folder: Path, plan: Plan, data: TargetData) -> Proposal | None:
    """Return the proposal of a run folder that its plan came from.

    Args:
        folder: of the run.
        plan: of its transfer; looks may have added seeds.
        data: its rows.

    Returns:
        None without a proposal, and where plan or data were changed since.
    """
    held = Proposal.load_usable(folder / Proposal.file_name)
    if held is None:
        return None
    facts = held.facts
    same = (facts.checkpoint, facts.batch_size) == (plan.checkpoint, plan.batch_size)
    same = same and facts.class_rows == class_rows(data)
    return held if same and planned(held.option, plan) == plan else None


def _profile(folder: Path, data: TargetData) -> LayerProfile | None:
    held = LayerProfile.load_usable(folder / LayerProfile.file_name)
    return held if held is not None and held.data == data.summary.fingerprint else None
