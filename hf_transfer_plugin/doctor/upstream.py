"""What is known to go wrong in the libraries below, as far as it applies here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet

from hf_transfer_plugin.doctor.finding import Finding
from hf_transfer_plugin.doctor.packages import installed
from hf_transfer_plugin.processes import cpu_only

__all__ = ["QUIRKS", "Quirk", "quirk_findings"]


def _always() -> bool:
    return True


@dataclass(frozen=True)
class Quirk:
    """Something of another library that surprises.

    Attributes:
        package: whose it is.
        versions: in which it is known, as a version specifier.
        what: what happens.
        action: what to do.
        applies: tells whether this machine is concerned.
    """

    package: str
    versions: str
    what: str
    action: str
    applies: Callable[[], bool] = _always

    def concerns(self, version: str | None) -> bool:
        """Tell whether it is in an installed version, on this machine."""
        if version is None or not SpecifierSet(self.versions).contains(version, prereleases=True):
            return False
        return self.applies()


QUIRKS = (
    Quirk(
        "accelerate",
        ">=1.10,<2",
        "`accelerate launch --cpu --num_processes 2` runs one process and says nothing",
        "launch with recipes/accelerate/cpu_2_processes.yaml, or with torchrun --nproc_per_node 2",
        cpu_only,
    ),
    Quirk(
        "accelerate",
        ">=1.10,<2",
        "FSDP2 with use_cpu=True trains as plain DDP",
        "use DDP on processor cores",
        cpu_only,
    ),
    Quirk(
        "torch",
        ">=2.6,<3",
        "several processes on processor cores sometimes end in SIGABRT after all work is done",
        "look at the files that were written, not at the exit code; `session()` avoids most",
        cpu_only,
    ),
    Quirk(
        "transformers",
        ">=5,<6",
        "resuming with restore_callback_states_from_checkpoint=True a checkpoint that was made "
        "without one of the callbacks fails at the next save",
        "leave it at False: FreezingCallback reads its state from the checkpoint by itself",
    ),
    Quirk(
        "transformers",
        ">=5,<6",
        "save_only_model=True leaves optimizer and random state out; resuming then starts over "
        "and says nothing",
        "leave it at False where a run is to be resumed",
    ),
    Quirk(
        "transformers",
        ">=5,<6",
        "the logged loss counts double under gradient_accumulation_steps=2 for BERT, RoBERTa, "
        "DistilBERT, ModernBERT, ResNet, EfficientNet and MobileNetV2",
        "set model.accepts_loss_kwargs = False before the Trainer is built; `run` does",
    ),
    Quirk(
        "transformers",
        ">=5,<6",
        "trainer.push_to_hub() replaces README.md by a card of its own",
        "publish with `hf-tl publish RUN_FOLDER`",
    ),
    Quirk(
        "peft",
        ">=0.18,<1",
        "adding an adapter decides anew which weights train; what was frozen before is forgotten",
        "add all adapters first, then freeze: `apply_adapter` before the Trainer is built",
    ),
    Quirk(
        "deepspeed",
        ">=0.14",
        "ZeRO-3 keeps no optimizer state for weights that are frozen when it starts",
        "no schedule that thaws layers under ZeRO-3: FreezingCallback refuses it",
    ),
    Quirk(
        "evaluate",
        ">=0.4",
        'evaluate.load("accuracy") fetches code from the Hub, so it fails without a network',
        "pass a function as compute_metrics; the metrics of `run` need no Hub",
    ),
)


def quirk_findings() -> Iterator[Finding]:
    """Yield what is known of the installed versions and concerns this machine."""
    for quirk in QUIRKS:
        version = installed(quirk.package)
        if quirk.concerns(version):
            yield Finding(f"{quirk.package} {version}", quirk.what, "note", quirk.action)
