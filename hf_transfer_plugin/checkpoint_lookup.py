"""Where a checkpoint is: packaged sample, local folder or Hub repository."""

from __future__ import annotations

from pathlib import Path

from hf_transfer_plugin.errors import CheckpointError
from hf_transfer_plugin.redaction import redact
from hf_transfer_plugin.samples import is_sample, sample_checkpoint

__all__ = ["locate", "require_safetensors"]


def locate(name: str, revision: str | None) -> Path | str:
    """Return the folder of a sample or a local checkpoint, or the name of one that the Hub has.

    Raises:
        CheckpointError: when it does not exist, cannot be reached or may not be read.
    """
    if is_sample(name):
        return sample_checkpoint(name)
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise CheckpointError(
                arrived=f"the folder {name} holds no config.json",
                expected="a folder written by save_pretrained",
                action="name the folder that holds config.json and model.safetensors",
            )
        return folder
    if name.startswith((".", "/", "~")):
        raise CheckpointError(
            arrived=f"no such checkpoint folder: {name}",
            expected="a folder written by save_pretrained",
            action="correct the path (it is read from the current folder)",
        )
    _ask_hub(name, revision)
    return name


def require_safetensors(name: str, path: str) -> None:
    """Raise CheckpointError for a folder without safetensors weights; the Hub's are asked later."""
    folder = Path(path)
    if not folder.is_dir() or any(folder.glob("*.safetensors")):
        return
    pickles = ", ".join(sorted(file.name for file in folder.glob("*.bin")))
    aside = f", only {pickles}, and pickles run code when they are loaded" if pickles else ""
    raise CheckpointError(
        arrived=f"the folder {name} holds no *.safetensors{aside}",
        expected="safetensors weights, as save_pretrained writes them",
        action="load it where you trust it and write it anew: model.save_pretrained(folder)",
    )


def _ask_hub(name: str, revision: str | None) -> None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    expected = "a Hub name (org/name), a local folder or sample:NAME"
    try:
        hf_hub_download(name, "config.json", revision=revision)
    except HFValidationError:
        arrived, action = f"{name!r} is no checkpoint name", "correct the name"
    except LocalEntryNotFoundError:
        arrived = f"the checkpoint {name} is not in the local cache and the Hub cannot be reached"
        action = "check the network and HF_HUB_OFFLINE, or name a local folder or sample:minilm"
    except GatedRepoError:
        arrived = f"the checkpoint {name} is gated"
        expected = "a token whose owner was given access"
        action = "ask for access on its page, then log in: hf auth login"
    except RepositoryNotFoundError:
        arrived = f"the Hub has no checkpoint {name}, or the token may not see it"
        action = "check the spelling; for a private one log in: hf auth login"
    except RevisionNotFoundError:
        arrived, expected = f"{name} has no revision {revision!r}", "a commit, tag or branch"
        action = "leave revision out, or look it up on the model's page"
    except EntryNotFoundError:
        arrived, expected = f"{name} holds no config.json", "a transformers or timm checkpoint"
        action = "choose a repository with config.json and safetensors weights"
    except HfHubHTTPError as error:
        arrived = f"the Hub refused {name}: {redact(str(error)).splitlines()[0]}"
        action = "log in again (hf auth login) or unset HF_TOKEN, then try again"
    else:
        return
    raise CheckpointError(arrived, expected, action) from None
