"""Small files that only their owner may read."""

import os
import shutil
from pathlib import Path


def write_private(path: Path, text: str, owner: str | None = None) -> None:
    """Write the file whole or not at all, readable by its owner (None: the caller) alone."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(text, encoding="utf-8")
    if owner:
        shutil.chown(unfinished, owner, owner)
    unfinished.replace(path)
