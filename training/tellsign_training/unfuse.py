"""A model folder's weights, ready to be trained further.

A model folder's batch norms are folded into the layers before them. Training needs them back: the
statistics of each layer's output are measured on crops, and the batch norm's scale and shift are
set so that the network computes what it did.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tellsign.models import architectures
from tellsign.models.architectures import Levit
from tellsign.models.folder import ModelError, ModelFolder
from tellsign_training.fit import normalised
from tellsign_training.networks import learns
from tellsign_training.recipe import Recipe, RecipeError


def further(path: Path, store: Path, recipe: Recipe) -> nn.Module:
    """The network of a model folder, with what learns of it by the recipe.

    Batch norms that are folded away take their statistics from 512 crops of the store.

    Raises:
        ModelError: the folder is damaged.
        RecipeError: it holds another architecture than the recipe's.
        OSError: there is no store.
    """
    folder = ModelFolder(path)
    if folder.config["architecture"] != recipe.network["architecture"]:
        raise RecipeError(f"{path.name} is no {recipe.network['architecture']}.")
    network = folder.network()
    if isinstance(network, Levit):
        crops = np.load(store / "crops.npy", mmap_mode="r")
        some = np.array(crops[:: max(1, len(crops) // 512), 0])
        network = unfused(folder, normalised(torch.from_numpy(some), recipe.mean, recipe.std))
    learns(network, recipe.learns)
    return network


@torch.no_grad()
def unfused(folder: ModelFolder, x: torch.Tensor) -> nn.Module:
    """The network of a model folder with batch norms, its statistics those of a batch `x`.

    `x` is float [n, 3, 224, 224], normalised.

    Raises:
        ModelError: the folder holds another architecture.
    """
    weights = dict(folder.weights)
    network = architectures.create(folder.config).eval()
    if not isinstance(network, Levit):
        raise ModelError(f"{folder.name} is not a LeViT-128S.")
    norms: dict[str, Any] = {
        name: module
        for name, module in network.named_modules()
        if hasattr(module, "bn") and hasattr(module, "linear")
    }
    for name, module in norms.items():
        module.linear.weight.copy_(weights.pop(f"{name}.weight").view_as(module.linear.weight))
        bn = module.bn
        bn.running_mean.zero_()
        bn.running_var.fill_(1 - bn.eps)
        bn.weight.fill_(1)
        bn.bias.copy_(weights.pop(f"{name}.bias"))
    missing, unknown = network.load_state_dict(weights, strict=False)
    ours = {f"{name}.{part}." for name in norms for part in ("linear", "bn")}
    if unknown or any(not key.startswith(tuple(ours)) for key in missing):
        raise ModelError(f"The weights of {folder.name} do not fit its architecture.")

    outputs: dict[str, torch.Tensor] = {}
    hooks = [
        module.linear.register_forward_hook(
            lambda _m, _in, out, name=name: outputs.__setitem__(name, out)
        )
        for name, module in norms.items()
    ]
    network(x)
    for hook in hooks:
        hook.remove()
    for name, module in norms.items():
        y = outputs[name]
        channels = y.transpose(0, 1) if y.ndim == 4 else y.flatten(0, -2).T
        variance, mean = torch.var_mean(channels.flatten(1), 1)
        bn = module.bn
        bn.running_mean.copy_(mean)
        bn.running_var.copy_(variance)
        bn.weight.copy_((variance + bn.eps).sqrt())
        bn.bias.add_(mean)
    return network
