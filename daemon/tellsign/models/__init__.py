"""Model folders: what they are, which there are, and the networks in them."""

import os

# timm brings huggingface_hub, which reads these once.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

from tellsign.models.folder import Calibration, ModelError, ModelFolder, ModelInfo
from tellsign.models.registry import UnknownModel, available, folder

__all__ = [
    "Calibration",
    "ModelError",
    "ModelFolder",
    "ModelInfo",
    "UnknownModel",
    "available",
    "folder",
]
