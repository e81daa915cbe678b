"""The packages that this one needs: whether they are there, and new enough."""

from __future__ import annotations

import importlib
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from hf_transfer_plugin.doctor.finding import Finding
from hf_transfer_plugin.version import __version__

__all__ = ["installed", "package_findings"]

_NAME = "hf-transfer-plugin"
#: Extras that a user may want, and what for.
_EXTRAS = {
    "vision": "images",
    "demo": "the packaged samples",
    "vectors": "fastText .bin files",
    "search": "hyperparameter_search over schedules",
    "tracking": "report_to: tensorboard, trackio",
}
# One that is installed and does not import says so in another way than one that is not there.
_MUST_IMPORT = ("torch", "torchvision")


def package_findings() -> Iterator[Finding]:
    """Yield a finding for each requirement, for each extra, and for what does not import."""
    yield Finding("Python", platform.python_version())
    yield Finding(_NAME, __version__)
    for need in _requirements():
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            yield required(need, installed(need.name))
    for extra, purpose in _EXTRAS.items():
        yield _extra(extra, purpose)
    for name in _MUST_IMPORT:
        if installed(name) is not None:
            yield from _import_failure(name)


def installed(name: str) -> str | None:
    """Return the installed version of a distribution; None when it is not there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def required(need: Requirement, found: str | None) -> Finding:
    """Return how an installed version stands to what is required.

    Args:
        need: such as `torch>=2.6`.
        found: the installed version; None when it is not there.
    """
    wanted = str(need.specifier)
    action = f'pip install "{need.name}{wanted}"'
    if found is None:
        return Finding(need.name, f"missing; {wanted} is needed", "error", action)
    if not need.specifier.contains(found, prereleases=True):
        return Finding(need.name, f"{found}; {wanted} is needed", "error", action)
    return Finding(need.name, found)


def _requirements() -> list[Requirement]:
    return [Requirement(text) for text in requires(_NAME) or ()]


def _extra(extra: str, purpose: str) -> Finding:
    needs: Mapping[str, Requirement] = {
        need.name: need
        for need in _requirements()
        if need.marker is not None and need.marker.evaluate({"extra": extra}) and need.name != _NAME
    }
    missing = [
        name
        for name, need in needs.items()
        if (found := installed(name)) is None or not need.specifier.contains(found, True)
    ]
    subject = f"extra [{extra}]"
    if not missing:
        return Finding(subject, f"there: {purpose}")
    return Finding(
        subject,
        f"for {purpose}; missing: " + ", ".join(sorted(missing)),
        "note",
        f'pip install "{_NAME}[{extra}]"',
    )


def _import_failure(name: str) -> Iterator[Finding]:
    try:
        importlib.import_module(name)
    # A build for another torch fails in ways of its own, from missing symbols to operators.
    except Exception as error:
        yield Finding(
            f"import {name}",
            " ".join(f"{type(error).__name__}: {error}".split())[:200],
            "error",
            "install torch and torchvision together, from one index, in versions that go together",
        )
