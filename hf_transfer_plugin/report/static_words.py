"""What a user of published word vectors must know: transformers alone does not load them."""

from __future__ import annotations

import json

from hf_transfer_plugin.records import Report

__all__ = ["is_static", "static_limit", "static_snippet"]


def is_static(report: Report) -> bool:
    """Tell whether the network is a table of word vectors."""
    return report.transfer.model_type == "static_embeddings"


def static_limit() -> str:
    """Return what loading needs, in one sentence."""
    return (
        "Loading it needs the package hf-transfer-plugin beside transformers, which has no "
        "architecture of pooled word vectors; no code of this repository is run."
    )


def static_snippet(report: Report, repository: str | None) -> str:
    """Return the code that loads the network."""
    note = "" if repository else "  # the folder beside this file, or its name on the Hub"
    return (
        "# pip install hf-transfer-plugin\n"
        "import hf_transfer_plugin.word_vectors  # tells transformers of the architecture\n"
        "from transformers import pipeline\n\n"
        f"classify = pipeline({json.dumps(report.task)}, "
        f"model={json.dumps(repository or 'model')}){note}\n"
        'print(classify("a text to classify"))'
    )
