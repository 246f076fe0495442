"""What a model folder is, and how it is read: hostile until its digests are checked.

config.json         timm's hub format (architecture, num_classes, pretrained_cfg) and ours:
                    `id`, `title`, `head`, `views`
model.safetensors   the weights
calibration.json    Platt A and B, thresholds and what they were set on
README.md           the model card
digests.json        the SHA-256 of each of these
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from tellsign.models import architectures
from tellsign.views import ViewPlan

FILES = ("config.json", "model.safetensors", "calibration.json", "README.md")


class ModelError(RuntimeError):
    """A model folder that can't be used; the message names it and says why."""


@dataclass(frozen=True)
class ModelInfo:
    """What a person or a client is told of a model."""

    id: str
    title: str
    architecture: str
    digest: str
    calibration: str
    bytes: int
    parameters: int
    input_size: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Calibration:
    """Platt scaling, p = 1 / (1 + exp(a s + b)) of the pooled logit s, and thresholds on p."""

    a: float
    b: float
    suspected: float
    unsure: float
    version: str


class ModelFolder:
    """A model folder whose digests have been checked.

    Raises:
        ModelError: a file is missing, differs from its digest, or makes no sense.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            digests = json.loads((path / "digests.json").read_text("utf-8"))
            for name in FILES:
                if sha256(path / name) != digests[name]:
                    raise self._damaged(f"{name} differs from its digest")
            self.config: dict[str, Any] = json.loads((path / "config.json").read_text("utf-8"))
            self.calibration = _calibration(path / "calibration.json")
            self.plan = ViewPlan(**self.config["views"])
            self.mean: list[float] = list(self.config["pretrained_cfg"]["mean"])
            self.std: list[float] = list(self.config["pretrained_cfg"]["std"])
            self.id = str(self.config["id"])
        except FileNotFoundError as error:
            raise self._damaged(f"{Path(str(error.filename)).name} is missing") from None
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(f"a setting is missing or wrong ({error})") from None
        self.digest = "sha256:" + digests["model.safetensors"]

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        try:
            return load_file(self.path / "model.safetensors")
        except SafetensorError as error:
            raise self._damaged(f"its weights can't be read ({error})") from None

    @cached_property
    def info(self) -> ModelInfo:
        return ModelInfo(
            id=self.id,
            title=str(self.config.get("title", self.id)),
            architecture=str(self.config["architecture"]),
            digest=self.digest,
            calibration=self.calibration.version,
            bytes=(self.path / "model.safetensors").stat().st_size,
            parameters=int(self.config.get("parameters", 0)),
            input_size=self.plan.size,
        )

    def network(self) -> nn.Module:
        """The trained network in evaluation mode, on the CPU, float32.

        Raises:
            ModelError: the weights do not fit the architecture.
        """
        try:
            network = architectures.create(self.config).eval()
            if isinstance(network, architectures.LevitDetector):
                network.fuse()  # as the weights of a model folder are
            network.load_state_dict(self.weights, strict=True)
        except (ValueError, RuntimeError) as error:
            raise self._damaged(str(error).splitlines()[0]) from None
        return network.eval()

    def _damaged(self, why: str) -> ModelError:
        return ModelError(f"The model folder {self.path.name} can't be used: {why}.")


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _calibration(path: Path) -> Calibration:
    data = json.loads(path.read_text("utf-8"))
    thresholds = data["thresholds"]
    return Calibration(
        a=float(data["platt"]["a"]),
        b=float(data["platt"]["b"]),
        suspected=float(thresholds["suspected"]["probability"]),
        unsure=float(thresholds["unsure"]["probability"]),
        version=sha256(path)[:12],
    )
