"""Checkpoints by name: Hub repository, local folder or packaged sample -> model and processor."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hf_transfer_plugin.checkpoint_lookup import locate, require_safetensors
from hf_transfer_plugin.errors import CheckpointError
from hf_transfer_plugin.records import Task
from hf_transfer_plugin.redaction import redact
from hf_transfer_plugin.samples import is_sample

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

__all__ = ["Checkpoint", "known_license", "without_bars"]


class Checkpoint:
    """A checkpoint that was found, not yet loaded.

    Args:
        name: Hub name, local folder or `sample:NAME`.
        revision: commit, tag or branch on the Hub.
        trust_remote_code: run code that comes with the checkpoint.

    Raises:
        CheckpointError: when it does not exist, cannot be reached or may not be read.
    """

    def __init__(
        self, name: str, *, revision: str | None = None, trust_remote_code: bool = False
    ) -> None:
        # Registers the architecture of static word embeddings with the Auto classes.
        import hf_transfer_plugin.word_vectors  # noqa: F401

        self.name = name
        self.path = str(locate(name, revision))
        self._options: dict[str, Any] = {"trust_remote_code": trust_remote_code}
        if self.path == name and revision is not None:
            self._options["revision"] = revision

    def config(
        self, class_names: Sequence[str] | None = None, image_size: int | None = None
    ) -> PretrainedConfig:
        """Read the configuration, with these classes and this input size when given."""
        from transformers import AutoConfig

        classes: dict[str, Any] = {}
        if class_names is not None:
            classes = {
                "num_labels": len(class_names),
                "id2label": dict(enumerate(class_names)),
                "label2id": {name: index for index, name in enumerate(class_names)},
            }
        with _explained(self.name):
            config: Any = AutoConfig.from_pretrained(self.path, **classes, **self._options)
        if config.model_type == "timm_wrapper":
            if class_names is not None:
                # The wrapper writes `label_names` over id2label when it is saved.
                config.label_names = list(class_names)
            if image_size is not None:
                config.pretrained_cfg["input_size"] = [3, image_size, image_size]
        elif image_size is not None and getattr(config, "image_size", image_size) != image_size:
            raise CheckpointError(
                arrived=f"data.image_size={image_size} for {self.name}",
                expected=f"{config.image_size}, the only size this network reads",
                action="leave data.image_size out",
            )
        return config  # type: ignore[no-any-return]

    def classifier(
        self,
        task: Task,
        class_names: Sequence[str],
        *,
        weights: Literal["pretrained", "random"] = "pretrained",
        image_size: int | None = None,
        pad_token_id: int | None = None,
    ) -> PreTrainedModel:
        """Load the model with a fresh head for these classes (a head that fits is kept).

        Draws from torch's global generator: seed it first for the same head again.
        """
        import transformers

        config = self.config(class_names, image_size)
        if task == "text-classification":
            auto: Any = transformers.AutoModelForSequenceClassification
            if config.pad_token_id is None:
                config.pad_token_id = pad_token_id
        else:
            auto = transformers.AutoModelForImageClassification
        return self._build(auto, config, weights)

    def backbone(
        self,
        *,
        weights: Literal["pretrained", "random"] = "pretrained",
        image_size: int | None = None,
    ) -> PreTrainedModel:
        """Load the model without a task head."""
        from transformers import AutoModel

        return self._build(AutoModel, self.config(image_size=image_size), weights)

    def masked_language_model(self) -> tuple[PreTrainedModel, dict[str, list[str]]]:
        """Load the model with its head for masked words.

        Returns:
            The model, and "missing_keys" and "unexpected_keys": weights that the checkpoint lacks
            (a head that is drawn anew), and those that such a model does not have (a pooler).
        """
        from transformers import MODEL_FOR_MASKED_LM_MAPPING, AutoModelForMaskedLM

        config = self.config()
        if type(config) not in MODEL_FOR_MASKED_LM_MAPPING:
            raise CheckpointError(
                arrived=f"{self.name} is a {config.model_type}, which predicts no masked words",
                expected="an encoder of texts such as BERT, DistilBERT, RoBERTa or ModernBERT",
                action="choose another checkpoint",
            )
        require_safetensors(self.name, self.path)
        with _explained(self.name), without_bars():
            model, keys = AutoModelForMaskedLM.from_pretrained(
                self.path,
                config=config,
                use_safetensors=True,
                output_loading_info=True,
                **self._options,
            )
        model.accepts_loss_kwargs = False  # see _build
        return model, {name: sorted(keys[name]) for name in ("missing_keys", "unexpected_keys")}

    def tokenizer(self) -> Any:
        """Load the tokenizer; one without a padding token pads with its end token."""
        from transformers import AutoTokenizer

        with _explained(self.name):
            tokenizer = AutoTokenizer.from_pretrained(self.path, **self._options)
        if len(tokenizer) <= len(tokenizer.all_special_ids):
            # Without vocabulary files transformers makes one that turns every word into [UNK].
            raise CheckpointError(
                arrived=f"{self.name} holds no vocabulary of a tokenizer",
                expected="tokenizer.json, or vocabulary files, beside the weights",
                action="save the tokenizer into that folder too: tokenizer.save_pretrained(folder)",
            )
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        positions = getattr(self.config(), "max_position_embeddings", None) or 0
        if 0 < positions < tokenizer.model_max_length:
            tokenizer.model_max_length = positions
        return tokenizer

    def image_processor(self, image_size: int | None = None) -> Any:
        """Load the image preprocessing, for this input size in pixels when given."""
        from transformers import AutoImageProcessor, TimmWrapperImageProcessor

        config = self.config(image_size=image_size)
        if config.model_type == "timm_wrapper":
            return TimmWrapperImageProcessor(config.pretrained_cfg, config.architecture)
        with _explained(self.name):
            processor = AutoImageProcessor.from_pretrained(self.path, **self._options)
        if image_size is not None:
            for setting in ("size", "crop_size"):
                if getattr(processor, setting, None) is not None:
                    setattr(processor, setting, {"height": image_size, "width": image_size})
        return processor

    def _build(self, auto: Any, config: PretrainedConfig, weights: str) -> PreTrainedModel:
        if weights == "pretrained":
            require_safetensors(self.name, self.path)
        with _explained(self.name), without_bars():
            if weights == "random":
                trust = self._options["trust_remote_code"]
                model = auto.from_config(config, trust_remote_code=trust)
                if config.model_type == "timm_wrapper":
                    _initialize_like_timm(model)
            else:
                model = auto.from_pretrained(
                    self.path,
                    config=config,
                    ignore_mismatched_sizes=True,
                    use_safetensors=True,
                    **self._options,
                )
        # Models that ignore the batch's item count would otherwise log a loss that is multiplied
        # by gradient accumulation and by the number of processes.
        model.accepts_loss_kwargs = False
        return model  # type: ignore[no-any-return]


def known_license(name: str) -> dict[str, str]:
    """Return {"checkpoint": licence} where the sample, folder or Hub page states one, else {}."""
    if is_sample(name):
        return {"checkpoint": "apache-2.0"}
    from huggingface_hub import ModelCard
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    card = Path(name).expanduser() / "README.md"
    if Path(name).expanduser().is_dir() and not card.is_file():
        return {}
    try:
        stated = ModelCard.load(card if card.is_file() else name, ignore_metadata_errors=True)
    except (OSError, ValueError, EntryNotFoundError, HfHubHTTPError):
        return {}
    licence = stated.data.get("license")
    return {"checkpoint": licence} if isinstance(licence, str) else {}


def _initialize_like_timm(model: Any) -> None:
    """Give a wrapped network the initial weights its authors chose.

    The wrapper draws every weight with one small standard deviation, which trains so much worse
    that a control from scratch would make any transfer look good.
    """
    import timm

    config = model.config
    classes = model.timm_model.num_classes
    fresh = timm.create_model(config.architecture, num_classes=classes, **(config.model_args or {}))
    model.timm_model.load_state_dict(fresh.state_dict(), assign=True)


@contextmanager
def without_bars() -> Iterator[None]:
    """Keep the bar of each loaded weight file off the terminal; downloads still show theirs."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what a loader raises for a checkpoint that does not fit into one clear error."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        reason = " ".join(redact(str(error)).split()) or type(error).__name__
        raise CheckpointError(
            arrived=f"{name} cannot be loaded: {textwrap.shorten(reason, 240, placeholder=' ...')}",
            expected="a transformers checkpoint of this task with safetensors weights",
            action="choose another checkpoint, or install what it asks for; code that comes with "
            "a checkpoint runs only with trust_remote_code: true",
        ) from None
