"""Transfer learning for Hugging Face: what to transfer, when, and how.

Every public name is loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.version import __version__

if TYPE_CHECKING:
    from hf_transfer_plugin.adapt.adapters import apply_adapter, merge_adapter
    from hf_transfer_plugin.adapt.batch_norm import adapt_batch_norm
    from hf_transfer_plugin.adapt.instances.density_ratio import density_ratio_weights
    from hf_transfer_plugin.adapt.instances.mean_matching import kernel_mean_matching_weights
    from hf_transfer_plugin.adapt.instances.reweighted_rows import ReweightedRows
    from hf_transfer_plugin.adapt.instances.tradaboost import TrAdaBoost
    from hf_transfer_plugin.adapt.instances.weights import InstanceWeights, effective_sample_size
    from hf_transfer_plugin.adapt.lora_plus import lora_plus
    from hf_transfer_plugin.adapt.schedule_space import ScheduleSpace
    from hf_transfer_plugin.adapt.schedules import FreezingSchedule
    from hf_transfer_plugin.alarms import Alarm
    from hf_transfer_plugin.augmentation_records import Augmentation
    from hf_transfer_plugin.callbacks.augmentation import AugmentationCallback
    from hf_transfer_plugin.callbacks.complete_checkpoints import last_complete_checkpoint
    from hf_transfer_plugin.callbacks.first_token import FirstTokenAlone, first_token_alone
    from hf_transfer_plugin.callbacks.freezing import FreezingCallback
    from hf_transfer_plugin.callbacks.multitask import MultitaskCallback
    from hf_transfer_plugin.callbacks.negative_transfer import NegativeTransferCallback
    from hf_transfer_plugin.callbacks.objective import ObjectiveCallback
    from hf_transfer_plugin.callbacks.prefix_caching import prefix_cache
    from hf_transfer_plugin.callbacks.prefix_following import PrefixCache, PrefixUse
    from hf_transfer_plugin.callbacks.rank_budget import RankBudgetCallback
    from hf_transfer_plugin.callbacks.schedule_search import ScheduleSearchCallback
    from hf_transfer_plugin.callbacks.weight_average import WeightAverageCallback
    from hf_transfer_plugin.command_session import session
    from hf_transfer_plugin.comparisons.clustering import ClusterComparison, cluster_comparison
    from hf_transfer_plugin.comparisons.instance_settings import (
        InstanceTransferConfig,
        load_instance_config,
    )
    from hf_transfer_plugin.comparisons.instance_transfer import (
        InstanceComparison,
        instance_transfer,
    )
    from hf_transfer_plugin.comparisons.self_taught import SelfTaughtComparison, self_taught
    from hf_transfer_plugin.config import RunConfig, load_config
    from hf_transfer_plugin.data import (
        AugmentedImages,
        DomainPairs,
        DomainPairsCollator,
        load_data,
    )
    from hf_transfer_plugin.decide.candidates import judge_all
    from hf_transfer_plugin.decide.controls import controls
    from hf_transfer_plugin.decide.look_verdicts import judge_at_looks
    from hf_transfer_plugin.decide.planned_looks import PlannedLook, planned_look
    from hf_transfer_plugin.decide.sequential import anytime_interval
    from hf_transfer_plugin.decide.verdict import judge
    from hf_transfer_plugin.errors import TransferError
    from hf_transfer_plugin.explaining import Explanation, explain
    from hf_transfer_plugin.few_labels.configs import FewShotConfig, ZeroShotConfig
    from hf_transfer_plugin.few_labels.few_shot import few_shot
    from hf_transfer_plugin.few_labels.zero_shot import zero_shot
    from hf_transfer_plugin.few_shot_records import FewShotResult, ZeroShotResult
    from hf_transfer_plugin.hub import publish
    from hf_transfer_plugin.ladder.climbing import rescue
    from hf_transfer_plugin.layer_profile_record import LayerProfile
    from hf_transfer_plugin.layers import LayerGroup, LayerGroups, layer_groups
    from hf_transfer_plugin.line import Line
    from hf_transfer_plugin.masked_language_records import MaskedLanguageResult
    from hf_transfer_plugin.multitask_config import MultitaskConfig, load_multitask_config
    from hf_transfer_plugin.multitask_line import MultitaskLine
    from hf_transfer_plugin.multitask_records import (
        MultitaskPlan,
        MultitaskReport,
        MultitaskResult,
        Way,
    )
    from hf_transfer_plugin.processes import require_processes
    from hf_transfer_plugin.proposal_records import Facts, Kept, Proposal
    from hf_transfer_plugin.proposals.proposing import propose
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
    from hf_transfer_plugin.source_weight_records import SourceWeights, WeighedSource
    from hf_transfer_plugin.train import Against, run
    from hf_transfer_plugin.train.masked_language import masked_language_pretraining
    from hf_transfer_plugin.train.multitask import run_multitask
    from hf_transfer_plugin.until_settled import judge_until_settled
    from hf_transfer_plugin.word_vectors.making import StaticEmbeddings, static_embeddings

__all__ = [
    "Adapter",
    "Against",
    "Alarm",
    "Augmentation",
    "AugmentationCallback",
    "AugmentedImages",
    "Average",
    "Candidate",
    "Choice",
    "ChosenWeights",
    "ClassVerdict",
    "ClusterComparison",
    "DataSpec",
    "DataSummary",
    "DomainPairs",
    "DomainPairsCollator",
    "Drift",
    "Explanation",
    "Facts",
    "FewShotConfig",
    "FewShotResult",
    "FirstTokenAlone",
    "Forecast",
    "FreezingCallback",
    "FreezingSchedule",
    "HiddenHarm",
    "InstanceComparison",
    "InstanceTransferConfig",
    "InstanceWeights",
    "Kept",
    "LayerGroup",
    "LayerGroups",
    "LayerProfile",
    "Line",
    "MaskedLanguageResult",
    "MultitaskCallback",
    "MultitaskConfig",
    "MultitaskLine",
    "MultitaskPlan",
    "MultitaskReport",
    "MultitaskResult",
    "NegativeTransferCallback",
    "Objective",
    "ObjectiveCallback",
    "Phase",
    "Plan",
    "PlannedLook",
    "PrefixCache",
    "PrefixUse",
    "Proposal",
    "RankBudgetCallback",
    "Ranking",
    "Report",
    "Rescue",
    "ReweightedRows",
    "RunConfig",
    "RunCost",
    "RunResult",
    "Rung",
    "ScheduleSearchCallback",
    "ScheduleSpace",
    "SeedResult",
    "SelfTaughtComparison",
    "ShownExample",
    "SourceDistance",
    "SourceWeights",
    "StaticEmbeddings",
    "Stop",
    "TrAdaBoost",
    "TransferError",
    "Verdict",
    "Way",
    "WeighedSource",
    "WeightAverageCallback",
    "ZeroShotConfig",
    "ZeroShotResult",
    "__version__",
    "adapt_batch_norm",
    "anytime_interval",
    "apply_adapter",
    "cluster_comparison",
    "controls",
    "density_ratio_weights",
    "effective_sample_size",
    "explain",
    "few_shot",
    "first_token_alone",
    "instance_transfer",
    "judge",
    "judge_all",
    "judge_at_looks",
    "judge_until_settled",
    "kernel_mean_matching_weights",
    "last_complete_checkpoint",
    "layer_groups",
    "layer_profile",
    "load_config",
    "load_data",
    "load_instance_config",
    "load_multitask_config",
    "lora_plus",
    "masked_language_pretraining",
    "merge_adapter",
    "planned_look",
    "prefix_cache",
    "propose",
    "public_report",
    "publish",
    "rank_checkpoints",
    "report_files",
    "require_processes",
    "rescue",
    "run",
    "run_multitask",
    "self_taught",
    "session",
    "source_distance",
    "static_embeddings",
    "zero_shot",
]

_HOMES = {
    "adapt.adapters": ("apply_adapter", "merge_adapter"),
    "adapt.batch_norm": ("adapt_batch_norm",),
    "adapt.instances.density_ratio": ("density_ratio_weights",),
    "adapt.instances.mean_matching": ("kernel_mean_matching_weights",),
    "adapt.instances.reweighted_rows": ("ReweightedRows",),
    "adapt.instances.tradaboost": ("TrAdaBoost",),
    "adapt.instances.weights": ("InstanceWeights", "effective_sample_size"),
    "adapt.lora_plus": ("lora_plus",),
    "adapt.schedule_space": ("ScheduleSpace",),
    "adapt.schedules": ("FreezingSchedule",),
    "alarms": ("Alarm",),
    "augmentation_records": ("Augmentation",),
    "callbacks.augmentation": ("AugmentationCallback",),
    "callbacks.complete_checkpoints": ("last_complete_checkpoint",),
    "callbacks.freezing": ("FreezingCallback",),
    "callbacks.multitask": ("MultitaskCallback",),
    "callbacks.negative_transfer": ("NegativeTransferCallback",),
    "callbacks.objective": ("ObjectiveCallback",),
    "callbacks.first_token": ("FirstTokenAlone", "first_token_alone"),
    "callbacks.prefix_caching": ("prefix_cache",),
    "callbacks.prefix_following": ("PrefixCache", "PrefixUse"),
    "callbacks.rank_budget": ("RankBudgetCallback",),
    "callbacks.schedule_search": ("ScheduleSearchCallback",),
    "callbacks.weight_average": ("WeightAverageCallback",),
    "comparisons.clustering": ("ClusterComparison", "cluster_comparison"),
    "comparisons.instance_settings": ("InstanceTransferConfig", "load_instance_config"),
    "comparisons.instance_transfer": ("InstanceComparison", "instance_transfer"),
    "comparisons.self_taught": ("SelfTaughtComparison", "self_taught"),
    "config": ("RunConfig", "load_config"),
    "data": ("AugmentedImages", "DomainPairs", "DomainPairsCollator", "load_data"),
    "decide.candidates": ("judge_all",),
    "decide.controls": ("controls",),
    "decide.look_verdicts": ("judge_at_looks",),
    "decide.planned_looks": ("PlannedLook", "planned_look"),
    "decide.sequential": ("anytime_interval",),
    "decide.verdict": ("judge",),
    "errors": ("TransferError",),
    "explaining": ("Explanation", "explain"),
    "few_labels.configs": ("FewShotConfig", "ZeroShotConfig"),
    "few_labels.few_shot": ("few_shot",),
    "few_labels.zero_shot": ("zero_shot",),
    "few_shot_records": ("FewShotResult", "ZeroShotResult"),
    "hub": ("publish",),
    "ladder.climbing": ("rescue",),
    "layer_profile_record": ("LayerProfile",),
    "layers": ("LayerGroup", "LayerGroups", "layer_groups"),
    "line": ("Line",),
    "multitask_config": ("MultitaskConfig", "load_multitask_config"),
    "multitask_line": ("MultitaskLine",),
    "multitask_records": ("MultitaskPlan", "MultitaskReport", "MultitaskResult", "Way"),
    "processes": ("require_processes",),
    "proposal_records": ("Facts", "Kept", "Proposal"),
    "proposals.proposing": ("propose",),
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
    "source_weight_records": ("SourceWeights", "WeighedSource"),
    "select.source_distance": ("SourceDistance", "source_distance"),
    "command_session": ("session",),
    "train": ("Against", "run"),
    "train.multitask": ("run_multitask",),
    "train.masked_language": ("masked_language_pretraining",),
    "masked_language_records": ("MaskedLanguageResult",),
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
