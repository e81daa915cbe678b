"""The Hub when it fails: trying again where that helps, and saying what happened where not."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from hf_transfer_plugin.errors import HubError
from hf_transfer_plugin.redaction import redact

__all__ = ["retry"]

_Value = TypeVar("_Value")
_TRANSIENT = (408, 429, 500, 502, 503, 504)
_LONGEST_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class _Failure:
    """What went wrong in one attempt, in words that may be shown.

    Attributes:
        status: HTTP status, where the server answered.
        transient: trying again may help.
        network: there was no answer at all.
        wait_seconds: what the server asked to wait.
    """

    text: str
    status: int | None = None
    transient: bool = False
    network: bool = False
    wait_seconds: float = 0.0


def retry(
    step: Callable[[], _Value], *, endpoint: str, repo_id: str, secret: str, attempts: int
) -> _Value:
    """Run a step against the Hub, again while its failure is one that passes.

    Args:
        step: talks to the Hub; safe to repeat.
        endpoint: address of the Hub, for the message.
        repo_id: repository the step is about, for the message.
        secret: the token; it appears in no message.
        attempts: how often to run the step at most.

    Returns:
        What the step returns.

    Raises:
        HubError: the Hub refuses, or it still fails after the last attempt.
    """
    for attempt in count(1):
        try:
            return step()
        except Exception as error:
            failure = _failure(error, secret)
            if failure is None:
                raise
        if not failure.transient or attempt >= attempts:
            # Outside of the except block: the client's exception, whose request holds the token,
            # must not hang on the new one as its context.
            raise _hub_error(failure, endpoint, repo_id, attempts)
        time.sleep(max(failure.wait_seconds, 2.0 ** (attempt - 1)))
    raise AssertionError("counting never ends")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _failure(error: Exception, secret: str) -> _Failure | None:
    """Return what the Hub or the network did; None for what is no fault of theirs."""
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.errors import HTTPError as ClientError  # type: ignore[attr-defined]

    chain = list(_chain(error))
    text = _shown(chain, secret)
    for link in chain:
        if isinstance(link, HfHubHTTPError):
            wait = link.response.headers.get("Retry-After", "")
            seconds = min(float(wait), _LONGEST_WAIT_SECONDS) if wait.isdigit() else 0.0
            status = link.response.status_code
            return _Failure(text, status, status in _TRANSIENT, wait_seconds=seconds)
        if isinstance(link, json.JSONDecodeError):
            # The client reads some answers before it looks at their status.
            return _Failure("an answer that is no JSON", transient=True)
        if isinstance(link, ClientError | ConnectionError | TimeoutError):
            return _Failure(text, transient=True, network=True)
    return _Failure(text) if isinstance(error, OSError | RuntimeError | ValueError) else None


def _shown(chain: list[BaseException], secret: str) -> str:
    """Return the message without the token and without the signatures of upload addresses."""
    texts = dict.fromkeys(" ".join(str(link).split()) or type(link).__name__ for link in chain[:2])
    text = re.sub(r"(https?://[^\s'\"?]+)\?[^\s'\"]*", r"\1", ": ".join(texts))
    return redact(text.replace(secret, "***"))[:600]


def _hub_error(failure: _Failure, hub: str, name: str, attempts: int) -> HubError:
    status = failure.status
    what = f"{hub} answered {status} for {name}: {failure.text}"
    again = "publish again; large files that arrived are not sent twice"
    if status == 401:
        expected, action = (
            "a token that the Hub knows, with write access",
            f"make one at {hub}/settings/tokens, then run `hf auth login` or set HF_TOKEN",
        )
    elif status in (402, 403):
        expected, action = (
            f"a token that may write to {name}",
            "choose a name below your own namespace, or use a token with write access to this one",
        )
    elif status == 404:
        expected, action = "a repository and revision that exist", "check the names and the token"
    elif failure.transient and status:
        expected, action = f"an answer within {attempts} attempts", f"wait, then {again}"
    elif failure.transient:
        why = f"cannot reach {hub}" if failure.network else f"{hub} is disturbed"
        what = f"{why} ({attempts} attempts): {failure.text}"
        expected, action = "a Hub that answers", f"check the network and HF_ENDPOINT, then {again}"
    else:
        what = what if status else f"the Hub did not take {name}: {failure.text}"
        expected, action = "a commit that the Hub accepts", f"mend what it says, then {again}"
    return HubError(what, expected, action)
