"""Small files that are whole at any moment, whatever kills the program."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Replace a file by new JSON, readable by its owner only, in a folder that is so too."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write(path, json.dumps(content, indent=1), 0o600)


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file in a folder that is there by new text."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_private(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None if there is no file.

    Raises:
        ValueError: something else is in it.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no JSON object")
    return content
