"""Model folders: what they are, which there are, and the networks in them."""

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
