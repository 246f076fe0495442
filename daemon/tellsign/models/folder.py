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
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from tellsign.settings import MIN_SIDE
from tellsign.views import ViewPlan

if TYPE_CHECKING:  # seconds and half a gigabyte, which a model that runs on OpenVINO does without
    from torch import Tensor, nn

FILES = ("config.json", "model.safetensors", "calibration.json", "README.md")
DIGESTS = "digests.json"

ID = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
"""What a model may be called: a name that is one and the same folder on every system."""
PRECISIONS = ("f32", "bf16", "f16")
"""What a network can calculate in; a lower one only where it was measured to say the same."""
MOST_SIDE, MOST_LONG_SIDE, MOST_CROPS = 1024, 8192, 64
"""Of the views that a model may ask for: a picture has to fit into memory with all of them."""


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
    """A model folder whose digests have been checked; `name` is what errors call it.

    Raises:
        ModelError: a file is missing, differs from its digest, or makes no sense.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        self.path = path
        self.name = name or path.name
        try:
            digests = json.loads((path / DIGESTS).read_text("utf-8"))
            for name in FILES:
                if sha256(path / name) != digests[name]:
                    raise self._damaged(f"{name} differs from its digest")
            self.config: dict[str, Any] = json.loads((path / "config.json").read_text("utf-8"))
            self.calibration = _calibration(path / "calibration.json")
            self.plan = _plan(self.config["views"])
            self.mean: list[float] = list(self.config["pretrained_cfg"]["mean"])
            self.std: list[float] = list(self.config["pretrained_cfg"]["std"])
            self.id = _id(self.config["id"])
            self.precision = _precision(self.config.get("precision", "f32"))
        except FileNotFoundError as error:
            raise self._damaged(f"{Path(str(error.filename)).name} is missing") from None
        except OSError as error:
            raise self._damaged(f"it can't be read ({error.strerror})") from None
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise self._damaged(f"a setting is missing or wrong ({error})") from None
        self.digest = "sha256:" + digests["model.safetensors"]

    @cached_property
    def weights(self) -> "dict[str, Tensor]":
        """By their names in the network, as it computes with them."""
        from safetensors.torch import load_file

        from tellsign.models.quantised import restored

        try:
            return restored(load_file(self.path / "model.safetensors"))
        except (SafetensorError, ValueError) as error:
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

    def network(self) -> "nn.Module":
        """The trained network in evaluation mode, on the CPU, float32.

        Raises:
            ModelError: the weights do not fit the architecture.
        """
        from tellsign.models import architectures

        try:
            network = architectures.unfilled(self.config).eval()
            if isinstance(network, architectures.Levit):
                network.fuse()  # as the weights of a model folder are
            network.load_state_dict(self.weights, strict=True)
        except (ValueError, RuntimeError) as error:
            raise self._damaged(str(error).splitlines()[0]) from None
        return network.eval()

    def _damaged(self, why: str) -> ModelError:
        return ModelError(f"The model folder {self.name} can't be used: {why}.")


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _id(value: object) -> str:
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise ValueError(f"the id {str(value)[:80]!r} is not made of a-z, 0-9, '.', '_' and '-'")
    return value


def _precision(value: object) -> str:
    if value not in PRECISIONS:
        raise ValueError(f"the precision {str(value)[:80]!r} is none of {', '.join(PRECISIONS)}")
    return str(value)


def _plan(views: dict[str, Any]) -> ViewPlan:
    plan = ViewPlan(**views)
    whole_numbers = all(type(side) is int for side in (plan.size, plan.long_side, plan.crops))
    if not (
        whole_numbers
        and MIN_SIDE <= plan.size <= MOST_SIDE
        and plan.size <= plan.long_side <= MOST_LONG_SIDE
        and 0 <= plan.crops <= MOST_CROPS
        and plan.crops + plan.whole
    ):
        raise ValueError(f"no picture can be cut into the views {views}")
    return plan


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
