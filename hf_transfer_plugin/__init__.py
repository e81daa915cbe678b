"""Transfer learning for Hugging Face: what to transfer, when, and how.

Every public name is loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.version import __version__

if TYPE_CHECKING:
    from hf_transfer_plugin.adapt.adapters import apply_adapter, merge_adapter
    from hf_transfer_plugin.adapt.lora_plus import lora_plus
    from hf_transfer_plugin.adapt.schedules import FreezingSchedule
    from hf_transfer_plugin.alarms import Alarm
    from hf_transfer_plugin.callbacks.complete_checkpoints import last_complete_checkpoint
    from hf_transfer_plugin.callbacks.freezing import FreezingCallback
    from hf_transfer_plugin.callbacks.negative_transfer import NegativeTransferCallback
    from hf_transfer_plugin.callbacks.objective import ObjectiveCallback
    from hf_transfer_plugin.callbacks.prefix_caching import PrefixCache, PrefixUse, prefix_cache
    from hf_transfer_plugin.callbacks.rank_budget import RankBudgetCallback
    from hf_transfer_plugin.callbacks.weight_average import WeightAverageCallback
    from hf_transfer_plugin.command_session import session
    from hf_transfer_plugin.config import RunConfig, load_config
    from hf_transfer_plugin.data import load_data
    from hf_transfer_plugin.decide.candidates import judge_all
    from hf_transfer_plugin.decide.controls import controls
    from hf_transfer_plugin.decide.look_verdicts import judge_at_looks
    from hf_transfer_plugin.decide.planned_looks import PlannedLook, planned_look
    from hf_transfer_plugin.decide.sequential import anytime_interval
    from hf_transfer_plugin.decide.verdict import judge
    from hf_transfer_plugin.errors import TransferError
    from hf_transfer_plugin.explaining import Explanation, explain
    from hf_transfer_plugin.hub import publish
    from hf_transfer_plugin.ladder.climbing import rescue
    from hf_transfer_plugin.layer_profile_record import LayerProfile
    from hf_transfer_plugin.layers import LayerGroup, LayerGroups, layer_groups
    from hf_transfer_plugin.line import Line
    from hf_transfer_plugin.processes import require_processes
    from hf_transfer_plugin.records import (
        Adapter,
        Average,
        Candidate,
        Choice,
        ChosenWeights,
        ClassVerdict,
        DataSpec,
        DataSummary,
        Drift,
        Forecast,
        HiddenHarm,
        Objective,
        Phase,
        Plan,
        Ranking,
        Report,
        Rescue,
        RunCost,
        Rung,
        RunResult,
        SeedResult,
        ShownExample,
        Stop,
        Verdict,
    )
    from hf_transfer_plugin.report import public_report, report_files
    from hf_transfer_plugin.select.profile import layer_profile
    from hf_transfer_plugin.select.ranking import rank_checkpoints
    from hf_transfer_plugin.select.source_distance import SourceDistance, source_distance
    from hf_transfer_plugin.train import Against, run
    from hf_transfer_plugin.until_settled import judge_until_settled
    from hf_transfer_plugin.word_vectors.making import StaticEmbeddings, static_embeddings

__all__ = [
    "Adapter",
    "Against",
    "Alarm",
    "Average",
    "Candidate",
    "Choice",
    "ChosenWeights",
    "ClassVerdict",
    "DataSpec",
    "DataSummary",
    "Drift",
    "Explanation",
    "Forecast",
    "FreezingCallback",
    "FreezingSchedule",
    "HiddenHarm",
    "LayerGroup",
    "LayerGroups",
    "LayerProfile",
    "Line",
    "NegativeTransferCallback",
    "Objective",
    "ObjectiveCallback",
    "Phase",
    "Plan",
    "PlannedLook",
    "PrefixCache",
    "PrefixUse",
    "RankBudgetCallback",
    "Ranking",
    "Report",
    "Rescue",
    "RunConfig",
    "RunCost",
    "RunResult",
    "Rung",
    "SeedResult",
    "ShownExample",
    "SourceDistance",
    "StaticEmbeddings",
    "Stop",
    "TransferError",
    "Verdict",
    "WeightAverageCallback",
    "__version__",
    "anytime_interval",
    "apply_adapter",
    "controls",
    "explain",
    "judge",
    "judge_all",
    "judge_at_looks",
    "judge_until_settled",
    "last_complete_checkpoint",
    "layer_groups",
    "layer_profile",
    "load_config",
    "load_data",
    "lora_plus",
    "merge_adapter",
    "planned_look",
    "prefix_cache",
    "public_report",
    "publish",
    "rank_checkpoints",
    "report_files",
    "require_processes",
    "rescue",
    "run",
    "session",
    "source_distance",
    "static_embeddings",
]

_HOMES = {
    "adapt.adapters": ("apply_adapter", "merge_adapter"),
    "adapt.lora_plus": ("lora_plus",),
    "adapt.schedules": ("FreezingSchedule",),
    "alarms": ("Alarm",),
    "callbacks.complete_checkpoints": ("last_complete_checkpoint",),
    "callbacks.freezing": ("FreezingCallback",),
    "callbacks.negative_transfer": ("NegativeTransferCallback",),
    "callbacks.objective": ("ObjectiveCallback",),
    "callbacks.prefix_caching": ("PrefixCache", "PrefixUse", "prefix_cache"),
    "callbacks.rank_budget": ("RankBudgetCallback",),
    "callbacks.weight_average": ("WeightAverageCallback",),
    "config": ("RunConfig", "load_config"),
    "data": ("load_data",),
    "decide.candidates": ("judge_all",),
    "decide.controls": ("controls",),
    "decide.look_verdicts": ("judge_at_looks",),
    "decide.planned_looks": ("PlannedLook", "planned_look"),
    "decide.sequential": ("anytime_interval",),
    "decide.verdict": ("judge",),
    "errors": ("TransferError",),
    "explaining": ("Explanation", "explain"),
    "hub": ("publish",),
    "ladder.climbing": ("rescue",),
    "layer_profile_record": ("LayerProfile",),
    "layers": ("LayerGroup", "LayerGroups", "layer_groups"),
    "line": ("Line",),
    "processes": ("require_processes",),
    "records": (
        "Adapter",
        "Average",
        "Candidate",
        "Choice",
        "ChosenWeights",
        "ClassVerdict",
        "DataSpec",
        "DataSummary",
        "Drift",
        "Forecast",
        "HiddenHarm",
        "Objective",
        "Phase",
        "Plan",
        "Ranking",
        "Report",
        "Rescue",
        "RunCost",
        "RunResult",
        "Rung",
        "SeedResult",
        "ShownExample",
        "Stop",
        "Verdict",
    ),
    "report": ("public_report", "report_files"),
    "select.profile": ("layer_profile",),
    "select.ranking": ("rank_checkpoints",),
    "select.source_distance": ("SourceDistance", "source_distance"),
    "command_session": ("session",),
    "train": ("Against", "run"),
    "until_settled": ("judge_until_settled",),
    "word_vectors.making": ("StaticEmbeddings", "static_embeddings"),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    # Kept, so that the next access is a plain attribute.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
