"""Which boundaries the frozen weights of now will serve in what is left of a run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hf_transfer_plugin.callbacks.fed_model import FedModel
from hf_transfer_plugin.callbacks.phases_ahead import PhaseAhead
from hf_transfer_plugin.callbacks.prefix_entries import agreed
from hf_transfer_plugin.callbacks.served_rows import Boundary
from hf_transfer_plugin.prefix.determinism import NotCacheable
from hf_transfer_plugin.prefix.finding import find_cut
from hf_transfer_plugin.prefix.probes import make_probes
from hf_transfer_plugin.prefix.row_source import RowSource
from hf_transfer_plugin.prefix.weights_digest import WeightsDigest

__all__ = ["find_boundaries"]


def find_boundaries(
    fed: FedModel, source: RowSource, ahead: Sequence[PhaseAhead], digest: WeightsDigest
) -> tuple[list[Boundary], int]:
    """Find the boundary of each phase whose prefix stays as it is until then.

    Args:
        fed: the model.
        source: of the rows on which it is asked.
        ahead: what trains now, and later.
        digest: of its weights.

    Returns:
        the boundaries, that of the current phase first, and the optimizer steps of their phases.

    Raises:
        NotCacheable: when the current phase has none.
    """
    probes = make_probes(source, fed.place)
    found: dict[str, Boundary] = {}
    trained_before: set[str] = set()
    steps = 0
    for number, phase in enumerate(ahead):
        search = partial(find_cut, fed.units, phase.trained, probes, fed.run, gradients=number == 0)
        try:
            cut = agreed(search)
        except NotCacheable:
            if number == 0:
                raise
        else:
            groups = {fed.units.group_of[path] for path in cut.paths}
            if not groups & trained_before:
                boundary = Boundary(cut, digest.of(cut))
                found.setdefault(boundary.weights, boundary)
                steps += phase.steps
        trained_before |= phase.trained
    return list(found.values()), steps
