"""WHAT, for a run: candidates and layers are scored once, and its folder keeps the scores."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from hf_transfer_plugin.config import RunConfig
from hf_transfer_plugin.data import TargetData
from hf_transfer_plugin.layer_profile_record import LayerProfile
from hf_transfer_plugin.made_once import made_once
from hf_transfer_plugin.processes import is_first
from hf_transfer_plugin.records import Ranking
from hf_transfer_plugin.report.chart_profile import profile_chart
from hf_transfer_plugin.select.profile import layer_profile
from hf_transfer_plugin.select.ranking import DEFAULT_SCORES, rank_checkpoints
from hf_transfer_plugin.select.stored_ranking import stored_ranking
from hf_transfer_plugin.serialization import write_atomic

__all__ = ["profiled", "ranked"]


def ranked(config: RunConfig, data: TargetData) -> Ranking:
    """Return the ranking of a run folder; candidates that failed are tried again.

    Args:
        config: says which candidates, how they are scored, and where the folder is.
        data: their target.

    Raises:
        CheckpointError: when no candidate at all could be scored.
    """
    revisions: dict[str, str] = {}
    if config.checkpoint and config.revision:
        revisions[config.checkpoint] = config.revision
    scores = config.rank_scores or DEFAULT_SCORES[config.task]
    sample = (config.rank_examples, config.data.seed)
    sure = (config.rank_confidence, config.rank_halving)
    reading = (config.data.max_length, config.data.image_size)
    asked = (data.summary.fingerprint, config.ranked(), revisions, scores)

    def make(parts: Path) -> Ranking:
        return rank_checkpoints(
            config.ranked(),
            data,
            task=config.task,
            scores=scores,
            examples=config.rank_examples,
            seed=config.data.seed,
            confidence=config.rank_confidence,
            halving=config.rank_halving,
            revisions=revisions,
            trust_remote_code=config.trust_remote_code,
            keep_in=parts,
        )

    request = _request(*asked, *sample, *sure, *reading)
    return stored_ranking(Path(config.run_folder), request, make)


def profiled(
    config: RunConfig, data: TargetData, checkpoint: str, revision: str | None, score: str
) -> LayerProfile:
    """Return the layer profile of a run folder, which is also drawn there.

    Args:
        config: says how rows are read, and where the folder is.
        data: the target.
        checkpoint: whose layers are scored.
        revision: of the checkpoint.
        score: name of a score of features.
    """
    folder = Path(config.run_folder)
    reading = (config.data.max_length, config.data.image_size, config.data.seed)
    asked = (data.summary.fingerprint, checkpoint, revision, score, config.rank_examples)
    request = _request(*asked, *reading)

    def make() -> LayerProfile:
        profile = layer_profile(
            checkpoint,
            data,
            task=config.task,
            score=score,
            examples=config.rank_examples,
            seed=config.data.seed,
            revision=revision,
            trust_remote_code=config.trust_remote_code,
        )
        return replace(profile, request=request)

    found = made_once(folder, LayerProfile, lambda held: held.request == request, make)
    if is_first():
        picture = profile_chart(found).image
        write_atomic((folder / LayerProfile.file_name).with_suffix(".png"), picture)
    return found


def _request(*asked: object) -> str:
    """Return the hash of everything that was asked for."""
    return sha256(json.dumps(asked).encode()).hexdigest()[:16]
