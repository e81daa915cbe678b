"""The Hub: whether it answers, and whom it takes this user for."""

from __future__ import annotations

from collections.abc import Iterator

from hf_transfer_plugin.doctor.finding import Finding
from hf_transfer_plugin.redaction import redact

__all__ = ["hub_findings"]

_SECONDS = 10.0


def hub_findings() -> Iterator[Finding]:
    """Yield whether the Hub answers, and whether the token is one that it knows."""
    from huggingface_hub import constants, get_token

    if constants.is_offline_mode():
        action = "unset HF_HUB_OFFLINE to load or publish"
        yield Finding("Hub", "offline by HF_HUB_OFFLINE: what is cached loads", "note", action)
        return
    endpoint = redact(constants.ENDPOINT)
    failure = _failure()
    if failure:
        action = "check the network, a proxy (HTTPS_PROXY) and HF_ENDPOINT; samples need no Hub"
        yield Finding("Hub", f"{endpoint} does not answer: {failure}", "warning", action)
        return
    yield Finding("Hub", f"{endpoint} answers")
    yield _token(endpoint, get_token())


def _failure() -> str:
    """Return why the Hub does not answer; "" when it does, whatever it says."""
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=_SECONDS)
    # The client's own exceptions changed between its versions, and all say the same here.
    except Exception as error:
        return redact(" ".join(str(error).split()) or type(error).__name__)[:120]
    return ""


def _token(endpoint: str, token: str | None) -> Finding:
    login = f"make one at {endpoint}/settings/tokens, then `hf auth login` or HF_TOKEN"
    if token is None:
        return Finding("token", "none; public models load", "note", f"to publish: {login}")
    from huggingface_hub import HfApi

    try:
        user = HfApi(token=token).whoami()
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            return Finding("token", "the Hub does not know it", "error", login)
        said = redact(str(error).replace(token, "***")).split("\n")[0][:120]
        return Finding("token", f"not checked: {said}", "warning", "try again")
    role = user.get("auth", {}).get("accessToken", {}).get("role", "")
    found = f"{user.get('name', 'known')}{f', {role}' if role else ''}"
    if role == "read":
        return Finding("token", found, "note", f"it cannot publish; to publish: {login}")
    return Finding("token", found)
