"""Publish a model with its report to the Hub: one commit, or none. Nothing else writes there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from fnmatch import fnmatch
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from hf_transfer_plugin.errors import HubError
from hf_transfer_plugin.hub_failures import retry
from hf_transfer_plugin.records import Report
from hf_transfer_plugin.redaction import redact
from hf_transfer_plugin.version import __version__

if TYPE_CHECKING:
    from huggingface_hub import HfApi

__all__ = ["publish"]

_PICKLES = (".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth")
# Plain from_pretrained may prefer these to what a publication has just added.
_LOADED = ("*.safetensors", "*.safetensors.index.json", "adapter_config.json")


def publish(
    report: Report,
    model_dir: str | PathLike[str],
    repo_id: str,
    *,
    private: bool = False,
    token: str | None = None,
    revision: str | None = None,
    commit_message: str | None = None,
    attempts: int = 3,
    examples: bool = False,
) -> str:
    """Publish a model folder with its card, report and plots as one commit.

    The folder is only read. Everything is checked before the first request, large files that
    arrived are not sent again, and publishing the same content twice makes no second commit.
    Weights and plots of an earlier publication that are no longer part of it are removed by the
    same commit; other files of the repository stay.

    Args:
        report: the record the card, the page and the plots are made from, without local paths.
        model_dir: what `save_pretrained` wrote: config.json, `*.safetensors`, tokenizer or image
            processor. Hidden files are left out; README.md and report files are generated anew.
        repo_id: "name" (below the user of the token) or "namespace/name"; made when missing.
        private: only its members may see the repository.
        token: with write access; None means HF_TOKEN or the one `hf auth login` has kept.
        revision: branch, made when missing; None means main.
        commit_message: None means one with the title of the report.
        attempts: how often to try while the network or the server fails for the moment.
        examples: publish the test examples that the report shows, which are rows of the data.

    Returns:
        URL of the model page.

    Raises:
        HubError: the folder, the name or the token is no good, or the Hub cannot be reached or
            refuses. Then no commit was made.
    """
    from huggingface_hub import HfApi

    own = _model_files(Path(model_dir))
    files: dict[str, str | bytes] = {**own, **_placed_adapter(own, report)}
    _check_arguments(repo_id, attempts)
    secret = _token(token)
    api = HfApi(token=secret, library_name="hf_transfer_plugin", library_version=__version__)
    _check_online(api.endpoint)
    patiently = partial(retry, endpoint=api.endpoint, secret=secret, attempts=attempts)
    if "/" not in repo_id:
        user = patiently(lambda: str(api.whoami()["name"]), repo_id=repo_id)
        repo_id = f"{user}/{repo_id}"
    url = f"{api.endpoint}/{repo_id}"

    from hf_transfer_plugin.report import public_report, report_files

    shown = public_report(report, examples=examples)
    files.update(report_files(shown, model_url=url, card_examples=examples))
    message = redact(commit_message or f"Publish {shown.title}")
    step = partial(_commit, api, repo_id, files, message, private=private, revision=revision)
    patiently(step, repo_id=repo_id)
    return url


def _commit(
    api: HfApi,
    name: str,
    files: dict[str, str | bytes],
    message: str,
    *,
    private: bool,
    revision: str | None,
) -> None:
    """Make the repository where it is missing, and the commit; safe to repeat."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    api.create_repo(name, private=private, exist_ok=True)
    if private and not api.model_info(name).private:
        raise HubError(
            arrived=f"private=True, but {name} exists already and is public",
            expected="a repository that only its members see",
            action="make it private in its settings, choose another name, or drop private",
        )
    if revision and revision != "main" and not revision.startswith("refs/"):
        api.create_branch(name, branch=revision, exist_ok=True)
    # Operations remember what the server said, so each attempt needs new ones: after an answer
    # that was lost, the files are already there and no second commit may follow.
    there = api.list_repo_files(name, revision=revision)
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationDelete(path, is_folder=False) for path in _stale(there, files)
    ]
    operations += [CommitOperationAdd(path, content) for path, content in files.items()]
    api.create_commit(name, operations, commit_message=message, revision=revision)


def _stale(there: list[str], files: dict[str, str | bytes]) -> list[str]:
    """Return what an earlier publication left and this one does not replace."""
    patterns = _LOADED + (("plots/*.png",) if "report.json" in there else ())
    return [
        path
        for path in there
        if path not in files
        and any(fnmatch(path, each) and path.count("/") == each.count("/") for each in patterns)
    ]


def _model_files(folder: Path) -> dict[str, str]:
    """Return path in the repository -> path on disk, of a folder from_pretrained can load."""
    files = {
        path.relative_to(folder).as_posix(): str(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    }
    problem = _folder_problem(folder, files)
    if problem:
        raise HubError(
            arrived=f"{folder}: {problem}",
            expected="a folder with config.json and whole *.safetensors files, and no pickles",
            action="write it with model.save_pretrained(folder) (and the tokenizer or image "
            "processor beside it), then publish that folder",
        )
    return files


def _placed_adapter(files: Mapping[str, str], report: Report) -> dict[str, bytes]:
    """Return the configuration of an adapter, on its checkpoint by the name it has on the Hub."""
    if "adapter_config.json" not in files:
        return {}
    from hf_transfer_plugin.report.names import hub_model, is_local

    config: dict[str, object] = {**_json(files["adapter_config.json"])}
    base = str(config.get("base_model_name_or_path") or "")
    if base and not is_local(base):
        return {}
    name = hub_model(report.transfer.plan.checkpoint)
    if name is None:
        raise HubError(
            arrived="an adapter of a checkpoint that lies on this machine alone",
            expected="a checkpoint on the Hub, for without it nobody can load the adapter",
            action="keep the model merged (adapter: {keep: merged}), or publish the checkpoint "
            "first and run with its name on the Hub",
        )
    text = json.dumps({**config, "base_model_name_or_path": name}, indent=2, sort_keys=True)
    return {"adapter_config.json": text.encode()}


def _folder_problem(folder: Path, files: dict[str, str]) -> str | None:
    if not folder.is_dir():
        return "no such folder"
    pickles = [name for name in files if name.lower().endswith(_PICKLES)]
    if pickles:
        return f"holds pickles, which run code when they are loaded: {', '.join(pickles[:5])}"
    weights = [name for name in files if "/" not in name and name.endswith(".safetensors")]
    if not weights:
        return "no *.safetensors in it"
    missing = set() if "config.json" in files else {"config.json"}
    try:
        if "config.json" in files and not isinstance(_json(files["config.json"]), dict):
            return "config.json is no JSON object"
        for name in (name for name in files if name.endswith(".safetensors.index.json")):
            missing |= set(_json(files[name])["weight_map"].values()) - set(files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"config.json or the weights' index cannot be read ({type(error).__name__}: {error})"
    if missing:
        return f"not there: {', '.join(sorted(missing)[:5])}"
    return _broken_weights(files, weights)


def _broken_weights(files: dict[str, str], weights: list[str]) -> str | None:
    from safetensors import SafetensorError, safe_open

    for name in weights:
        try:
            # Opening compares the header with the size of the file; no tensor is read.
            with safe_open(files[name], framework="numpy"):
                pass
        except (OSError, SafetensorError) as error:
            return f"{name} is cut off or damaged ({error})"
    return None


def _json(path: str) -> dict[str, dict[str, str]]:
    return json.loads(Path(path).read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def _check_arguments(repo_id: str, attempts: int) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    problem = "" if isinstance(repo_id, str) else f"a name of type {type(repo_id).__name__}"
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        problem = str(error)
    if problem:
        raise HubError(
            arrived=redact(f"repository name {repo_id!r}: {problem}"),
            expected='"name" or "namespace/name", of letters, digits, "-", "_" and "."',
            action='choose such a name, for example "my-name/my-model"',
        )
    if attempts < 1:
        raise HubError(f"attempts={attempts}", "1 or more", "leave it out, or pass attempts=3")


def _token(token: str | None) -> str:
    from huggingface_hub import get_token

    secret = (token or get_token() or "").strip()
    # A line break or an accent would end up, with the token, in the error of the HTTP library.
    if not re.fullmatch(r"[!-~]+", secret):
        raise HubError(
            arrived="a token with blanks or unusual characters" if secret else "no Hub token",
            expected="an access token with write permission",
            action="run `hf auth login`, set HF_TOKEN, or pass token=...",
        )
    return secret


def _check_online(endpoint: str) -> None:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise HubError(
            arrived=f"HF_HUB_OFFLINE is set, so nothing may be sent to {endpoint}",
            expected="a connection to the Hub",
            action="unset HF_HUB_OFFLINE (and TRANSFORMERS_OFFLINE) and publish again",
        )
