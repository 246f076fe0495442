"""What every engine is to the rest of the house."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # it takes seconds to import, and OpenVINO does without
    from tellsign.engines.torch import TorchEngine

Views = npt.NDArray[np.uint8]
Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EngineStatus:
    """What runs the network; `notice` is one sentence where it is less than it should be."""

    engine: str
    device: str
    precision: str
    batch: int
    notice: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Engine(Protocol):
    """A network on a device. Calls of `logits` must not overlap."""

    @property
    def status(self) -> EngineStatus: ...

    @property
    def eager(self) -> "TorchEngine":
        """The network as torch's module, for what needs its gradients; made when first asked."""

    def prepare(self) -> None:
        """Be as fast as it gets, however long that takes."""

    def logits(self, views: Views) -> Logits:
        """uint8 [n, S, S, 3] -> float32 [n], for any n."""
