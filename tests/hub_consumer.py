"""Run as a script by test_hub: somebody who has only transformers loads what was published.

The argument is a JSON object {"text": repo, "image": repo}; the answer is JSON on standard output.
"""

from __future__ import annotations

import json
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Block(MetaPathFinder):
    """The package is not installed for this process."""

    def find_spec(
        self, name: str, path: Any = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] == "hf_transfer_plugin":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def _text(repo: str, sentences: list[str]) -> dict[str, Any]:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    tokenizer = AutoTokenizer.from_pretrained(repo)
    model = AutoModelForSequenceClassification.from_pretrained(repo).eval()
    with torch.no_grad():
        logits = model(**tokenizer(sentences, padding=True, return_tensors="pt")).logits
    answers = pipeline("text-classification", model=repo)(sentences)
    return {"logits": logits.tolist(), "labels": [answer["label"] for answer in answers]}


def _image(repo: str, picture: Any) -> dict[str, Any]:
    import torch
    from transformers import AutoImageProcessor, AutoModelForImageClassification, pipeline

    processor = AutoImageProcessor.from_pretrained(repo)
    model = AutoModelForImageClassification.from_pretrained(repo).eval()
    with torch.no_grad():
        logits = model(**processor(picture, return_tensors="pt")).logits
    answers = pipeline("image-classification", model=repo)(picture)
    return {"logits": logits.tolist(), "labels": [answers[0]["label"]]}


def main() -> None:
    """Load both models and write what they say."""
    sys.meta_path.insert(0, _Block())
    try:
        import hf_transfer_plugin  # noqa: F401
    except ImportError:
        blocked = True
    else:
        blocked = False
    asked = json.loads(sys.argv[1])
    import numpy as np
    from PIL import Image

    picture = Image.fromarray(np.array(asked["picture"], dtype=np.uint8))
    answer = {
        "blocked": blocked,
        "text": _text(asked["text"], asked["sentences"]),
        "image": _image(asked["image"], picture),
        "imported": [name for name in sys.modules if name.startswith("hf_transfer_plugin")],
    }
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
