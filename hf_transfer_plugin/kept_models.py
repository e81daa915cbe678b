"""A model into its folder, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from hf_transfer_plugin.processes import is_first, wait_for_all
from hf_transfer_plugin.serialization import cannot_write

__all__ = ["keep_model"]


def keep_model(save: Callable[[Path], None], folder: Path) -> None:
    """Put a model where an earlier one may be; the first process writes, all wait.

    Args:
        save: writes the model into an empty folder.
        folder: where it shall be.

    Raises:
        RecordError: when it cannot be written.
    """
    if is_first():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
            try:
                save(fresh)
                os.chmod(fresh, 0o755)
                if folder.is_dir():
                    shutil.rmtree(folder)
                os.replace(fresh, folder)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
        except OSError as error:
            raise cannot_write(f"the model to {folder}", error) from None
    wait_for_all()
