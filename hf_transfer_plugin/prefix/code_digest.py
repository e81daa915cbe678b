"""A digest of transforms and collators: what they are made of, the same in every process."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path
from types import FunctionType
from typing import Any

__all__ = ["digest_code", "is_readable"]

_TRACES = {
    "_in_target_context_manager",
    "cache",
    "deprecation_warnings",
    "files_loaded",
    "init_inputs",
    "init_kwargs",
    "name_or_path",
    "sp_model",
    "verbose",
    "vocab_file",
}


def digest_code(value: Any) -> str:
    """Return a digest of a function or object: pickled content, and the files of its code.

    What is imported is pickled by name, so the file that it comes from is taken in too. Something
    that cannot be pickled counts by the name of its type alone.
    """
    value = _undressed(value)
    seen: set[str] = set()
    try:
        content = _pickled(value, seen)
    except Exception:  # dill raises whatever the objects in it raise
        content = f"cannot be pickled: {type(value).__module__}.{type(value).__qualname__}".encode()
        seen.add(type(value).__module__)
        seen.add(getattr(value, "__module__", None) or "")
    digest = hashlib.blake2b(content, digest_size=16)
    for name in sorted(seen):
        digest.update(name.encode())
        digest.update(_file_of(name))
    return digest.hexdigest()


def is_readable(value: Any) -> bool:
    """Tell whether all that a function or object is made of counts in its digest."""
    try:
        _pickled(_undressed(value), set())
    except Exception:  # as above
        return False
    return True


def _undressed(value: Any) -> Any:
    """Return what matters of Trainer's collator that drops columns; it notes what it logged."""
    if hasattr(value, "data_collator") and hasattr(value, "signature_columns"):
        return (_undressed(value.data_collator), sorted(value.signature_columns or ()))
    return value


def _pickled(value: Any, seen: set[str]) -> bytes:
    from datasets.utils._dill import Pickler

    class Stable(Pickler):  # type: ignore[misc]
        """Pickles tokenizers by their settings, and notes the modules of code."""

        def __init__(self, file: io.BytesIO) -> None:
            super().__init__(file, recurse=True)
            self.replaced: dict[int, tuple[Any, Any]] = {}

        def save(self, obj: Any, save_persistent_id: bool = True) -> None:
            if isinstance(obj, type | FunctionType):
                seen.add(obj.__module__ or "")
            if _is_tokenizer(obj):
                seen.add(type(obj).__module__)
                if id(obj) not in self.replaced:
                    # Kept for as long as the pickler remembers objects by their id.
                    self.replaced[id(obj)] = (obj, _tokenizer_settings(obj))
                obj = self.replaced[id(obj)][1]
            super().save(obj, save_persistent_id=save_persistent_id)

    file = io.BytesIO()
    Stable(file).dump(value)
    return file.getvalue()


def _tokenizer_settings(tokenizer: Any) -> dict[str, Any]:
    """Return what a tokenizer does, without its caches and where and how it was loaded."""
    state = {name: each for name, each in vars(tokenizer).items() if name not in _TRACES}
    backend = state.pop("_tokenizer", None)
    if hasattr(backend, "to_str"):
        state.pop("_vocab", None)
        content = json.loads(backend.to_str())
        # Left over from the last call; a collator pads by the tokenizer's own settings.
        content.update(truncation=None, padding=None)
        state["_tokenizer"] = json.dumps(content, sort_keys=True)
    else:
        state["_tokenizer"] = sorted(tokenizer.get_vocab().items())
    return {"class": type(tokenizer).__qualname__, **state}


def _is_tokenizer(value: Any) -> bool:
    """Return whether a value is a tokenizer of transformers; imports nothing to find out."""
    module = sys.modules.get("transformers.tokenization_utils_base")
    return isinstance(value, getattr(module, "PreTrainedTokenizerBase", ()))


def _file_of(module: str) -> bytes:
    """Return the text of a module that is a file; the main script's functions are in the pickle."""
    path = getattr(sys.modules.get(module), "__file__", None)
    if module == "__main__" or not path or not str(path).endswith(".py"):
        return b""
    try:
        return hashlib.blake2b(Path(path).read_bytes()).digest()
    except OSError:
        return b""
