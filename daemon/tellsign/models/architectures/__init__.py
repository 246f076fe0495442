"""The networks that a model folder can hold, by the name in its config.json.

Every network is float [n, 3, S, S] -> logits, float [n] or [n, 1], positive for AI. What timm knows
is timm's own module, so that `timm.create_model("local-dir:…")` reads the folder as well.
"""

from collections.abc import Callable, Mapping
from typing import Any

import timm
from torch import nn
from torch.overrides import TorchFunctionMode

from tellsign.models.architectures.classics import CNN8, LeNet5
from tellsign.models.architectures.clip import ClipTower
from tellsign.models.architectures.fcn import Fcn, NoiseUnet, PixelDetector
from tellsign.models.architectures.levit import Levit, LevitDetector, LevitStatistics
from tellsign.models.architectures.statistics import StatisticsDetector, StatisticsReader
from tellsign.models.architectures.svm import ResNetSVM

TIMM = frozenset({
    "resnet18", "resnet50", "convnextv2_tiny", "convnextv2_base", "vit_base_patch16_224",
    "vit_large_patch16_224", "tf_efficientnet_lite0", "tf_efficientnet_lite2",
})  # fmt: skip
"""Those of timm that a model folder may name, as `architecture`, with one class."""

OWN: dict[str, Callable[..., nn.Module]] = {
    "levit_128s": LevitDetector,
    "levit_128s_statistics": LevitStatistics,
    "lenet5": LeNet5,
    "cnn8": CNN8,
    "resnet18_svm": ResNetSVM,
    "fcn": Fcn,
    "noise_unet": NoiseUnet,
    "clip_vit_b16": ClipTower,
    "statistics": StatisticsDetector,
}
"""Ours; what config.json has under `options` are the keyword arguments."""

_NO_FILLERS = frozenset({"requires_grad_", "detach_"})
"""What changes a parameter in place, but not its numbers."""

__all__ = [
    "CNN8", "OWN", "TIMM", "ClipTower", "Fcn", "LeNet5", "Levit", "LevitDetector",
    "LevitStatistics", "NoiseUnet", "PixelDetector", "ResNetSVM", "StatisticsDetector",
    "StatisticsReader", "create", "unfilled",
]  # fmt: skip


def create(config: Mapping[str, Any]) -> nn.Module:
    """The untrained network that config.json names, batch norms unfused.

    Raises:
        ValueError: unknown architecture, or options that it does not take.
    """
    name, options = str(config["architecture"]), dict(config.get("options", {}))
    try:
        if name in OWN:
            return OWN[name](**options)
        if name in TIMM:
            network: nn.Module = timm.create_model(name, num_classes=1, **options)
            return network
    except TypeError as error:
        raise ValueError(f"{name}: {error}") from None
    raise ValueError(f"unknown architecture {name!r}")


def unfilled(config: Mapping[str, Any]) -> nn.Module:
    """The same with whatever was in memory as its parameters, for a file's to take their place:
    to draw CLIP's takes two seconds.

    Raises:
        ValueError: as `create`.
    """
    with _Unfilled():
        return create(config)


class _Unfilled(TorchFunctionMode):
    """What would fill a parameter, in place, does nothing. Of this thread only."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        filled = args[0] if args else kwargs.get("tensor")
        name = func.__name__
        fills = name.strip("_") + "_" == name and name not in _NO_FILLERS
        if fills and isinstance(filled, nn.Parameter):
            return filled
        return func(*args, **kwargs)
