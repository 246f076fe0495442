"""What the person has chosen for the next start, kept beside the daemon's state."""

from pathlib import Path

from tellsign.files import read_private, write_private


def model(folder: Path) -> str | None:
    """The model to start with; None if none was chosen, or the file is damaged."""
    try:
        chosen = (read_private(_path(folder)) or {}).get("model")
    except (OSError, ValueError):
        return None
    return chosen if isinstance(chosen, str) else None


def set_model(folder: Path, model_id: str) -> None:
    write_private(_path(folder), {"model": model_id})


def _path(folder: Path) -> Path:
    return folder / "choices.json"
