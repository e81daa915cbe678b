"""What learning from few labels, or none, gave: one JSON file in the run folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Literal

from hf_transfer_plugin.data_records import DataSpec, DataSummary, Task
from hf_transfer_plugin.serialization import Record
from hf_transfer_plugin.verdict_records import Verdict

__all__ = [
    "METHODS",
    "Contrastive",
    "FewShotMethod",
    "FewShotResult",
    "FewShotScore",
    "FewShotVerdict",
    "ZeroShotMethod",
    "ZeroShotResult",
]

FewShotMethod = Literal["prototypes", "probe", "contrastive"]
ZeroShotMethod = Literal["embeddings", "entailment", "image-text"]
METHODS: tuple[FewShotMethod, ...] = ("prototypes", "probe", "contrastive")  # cheapest first


@dataclass(frozen=True)
class Contrastive(Record):
    """How an encoder is tuned on few labels.

    Attributes:
        steps: optimizer steps at most.
        classes: of a batch, at most.
        rows: of each class in a batch.
        learning_rate: peak rate of AdamW; it warms up over a tenth of the steps, then falls to 0.
        stop_loss: training ends when the mean loss of three batches is below it; 0: never.
        train_embeddings: the table of token embeddings trains too. It holds half of the weights of
            a small encoder, and most of its rows are in no text of a few.
    """

    steps: int = 20
    classes: int = 8
    rows: int = 4
    learning_rate: float = 1e-4
    stop_loss: float = 0.01
    train_embeddings: bool = False


@dataclass(frozen=True)
class FewShotScore(Record):
    """One method on one draw.

    Attributes:
        shots: labelled examples of each class.
        draw: number of the draw; the seed of rows and training.
        test: metric name -> value.
        predictions: predicted class of each test example.
        seconds: from the encoder in memory to a fitted head; the test examples are not in it.
        steps: optimizer steps; 0 where the encoder stays as it is.
        request: hash of everything that was asked for.
    """

    method: FewShotMethod
    shots: int
    draw: int
    test: Mapping[str, float]
    predictions: tuple[int, ...]
    seconds: float
    steps: int = 0
    request: str = ""


@dataclass(frozen=True)
class FewShotVerdict(Record):
    """A method against another at one number of shots, paired over the draws."""

    shots: int
    method: FewShotMethod
    verdict: Verdict


@dataclass(frozen=True)
class FewShotResult(Record):
    """Learning curves over the number of labels.

    Attributes:
        task: what was learned.
        checkpoint: Hub name, local folder or `sample:NAME`.
        spec: which data were asked for.
        data: what they hold.
        labels: class of each test example, in the order of the predictions.
        metric: what is judged.
        shots, draws, methods: what was measured; every method saw the same rows.
        scores: one for each method, number of shots and draw.
        verdicts: each method against the first one of `methods` that stays frozen.
        kept: method whose model is saved, trained on draw 0 of the most shots.
        held_out: method -> accuracy on rows held out of that draw, which chose it; empty when
            there was nothing to choose or to hold out.
        environment: package or machine property -> value.
        command: that repeats the run.
        created: ISO date and time, UTC.
        licenses: "checkpoint" -> licence, where known.
    """

    file_name = "few_shot.json"

    task: Task
    checkpoint: str
    spec: DataSpec
    data: DataSummary
    labels: tuple[int, ...]
    metric: str
    shots: tuple[int, ...]
    draws: int
    methods: tuple[FewShotMethod, ...]
    scores: tuple[FewShotScore, ...]
    verdicts: tuple[FewShotVerdict, ...]
    kept: FewShotMethod
    held_out: Mapping[str, float]
    environment: Mapping[str, str]
    command: str
    created: str
    licenses: Mapping[str, str] = field(default_factory=dict)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the classes in label order."""
        return self.data.class_names

    @property
    def kept_score(self) -> FewShotScore:
        """Return the score of the model that is kept: draw 0 of the most labels."""
        return next(score for score in self.of(self.kept, max(self.shots)) if score.draw == 0)

    def of(self, method: FewShotMethod, shots: int) -> tuple[FewShotScore, ...]:
        """Return the scores of a method at a number of shots, by draw."""
        return tuple(s for s in self.scores if (s.method, s.shots) == (method, shots))

    def spread(self, method: FewShotMethod, shots: int) -> tuple[float, float]:
        """Return mean and standard deviation of the judged metric over draws (0 for one draw)."""
        values = [score.test[self.metric] for score in self.of(method, shots)]
        return fmean(values), stdev(values) if len(values) > 1 else 0.0


@dataclass(frozen=True)
class ZeroShotResult(Record):
    """Classes named from their texts alone.

    Attributes:
        task: what was asked.
        checkpoint: Hub name, local folder or `sample:NAME`.
        method: how label texts meet inputs.
        data: fingerprint of the data.
        class_names: in label order.
        label_texts: the texts of each class, templates filled in.
        even_prior: scores were centred over unlabelled training rows.
        labels, predictions: true and named class of each test example.
        test: metric name -> value.
        majority: accuracy of the most frequent class of the test split.
        seconds: label texts, unlabelled rows and test examples.
    """

    file_name = "zero_shot.json"

    task: Task
    checkpoint: str
    method: ZeroShotMethod
    data: str
    class_names: tuple[str, ...]
    label_texts: tuple[tuple[str, ...], ...]
    even_prior: bool
    labels: tuple[int, ...]
    predictions: tuple[int, ...]
    test: Mapping[str, float]
    majority: float
    seconds: float
