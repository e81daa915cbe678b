"""Terms that bring two domains together: labelled rows of a source, rows of a target without."""

from __future__ import annotations

import torch

from hf_transfer_plugin.adapt.objectives.loss_term import Batch, LossTerm
from hf_transfer_plugin.errors import ConfigError

__all__ = ["DomainTerm"]

_UNLABELLED = -100


class DomainTerm(LossTerm):
    """An objective on batches of both domains, such as `DomainPairs` gives.

    A row of the target has the label -100, which the loss of the task leaves out.
    """

    def target_of(self, batch: Batch) -> torch.Tensor:
        """Tell of each row of a batch whether it is one of the target, [examples].

        Raises:
            ConfigError: for a batch of one domain alone, and for rows without one class each.
        """
        target = self.labels_of(batch) == _UNLABELLED
        if not target.any() or target.all():
            missing = "source" if target.all() else "target"
            raise ConfigError(
                arrived=f"objective {self.name} on a batch without {missing} rows",
                expected="labelled source rows, and target rows with the label -100, in each batch",
                action="train on DomainPairs(source, target) with a DomainPairsCollator",
            )
        return target

    def domains(self, values: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the rows of the source and those of the target.

        Args:
            values: one row an example, [examples, ...].
            batch: whose rows they are.

        Raises:
            ConfigError: for a batch of one domain alone, and for rows without one class each.
        """
        target = self.target_of(batch)
        return values[~target], values[target]
