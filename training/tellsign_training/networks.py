"""A recipe's network as it starts its training: its first weights, and which of them learn."""

import math
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn.utils import parametrize

from tellsign.models import architectures
from tellsign_training.recipe import Recipe, RecipeError

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def build(recipe: Recipe, weights: Path | None = None, scratch: bool = False) -> nn.Module:
    """The network of a recipe, with its first weights, its frozen parts frozen.

    `weights` is a safetensors file of its backbone (timm's names); without it a recipe that starts
    from pretrained weights fetches them through timm, unless it is to start from `scratch`.

    Raises:
        RecipeError: the weights can't be fetched or do not fit; the message says what to do.
    """
    torch.manual_seed(recipe.fit.seed)
    try:
        network = architectures.create(recipe.network)
    except ValueError as error:
        raise RecipeError(f"{recipe.id}: {error}.") from None
    if recipe.pretrained and not scratch:
        _start(network, recipe, _read(weights) if weights else _fetched(recipe))
    learns(network, recipe.learns)
    return network


def _fetched(recipe: Recipe) -> dict[str, torch.Tensor]:
    try:
        return dict(timm.create_model(recipe.pretrained, pretrained=True).state_dict())
    except Exception as error:  # the hub's client raises whatever its transport raises
        raise RecipeError(
            f"The weights of {recipe.pretrained} can't be fetched ({type(error).__name__}). Give "
            "a file by --weights, or --from-scratch."
        ) from None


def _read(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise RecipeError(f"{path} can't be read as safetensors: {error}.") from None


def _start(network: nn.Module, recipe: Recipe, weights: dict[str, torch.Tensor]) -> None:
    """Copy what the backbone has; what it lacks (its head) stays as it was made."""
    backbone: Any = getattr(network, "backbone", network)
    own = backbone.state_dict()
    fitting = {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}
    head = {f"{name}." for name in ("head", "fc", "classifier", "head_dist")}
    left = [k for k in own if k not in fitting and not k.startswith(tuple(head))]
    if left:
        raise RecipeError(
            f"The weights do not fit {recipe.network['architecture']}: {len(left)} of {len(own)} "
            f"tensors are missing, {left[0]} among them."
        )
    backbone.load_state_dict(fitting, strict=False)


def learns(network: nn.Module, what: str) -> None:
    """Freeze all but what learns: `all`, `head`, `last:N` (blocks and head) or `lora:R` (rank).

    Raises:
        RecipeError: the network has no blocks, or the word is unknown.
    """
    kind, _, number = what.partition(":")
    if kind == "all":
        return
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    parts: list[nn.Module] = [head_of(network)]
    backbone: Any = getattr(network, "backbone", network)
    if kind == "last":
        blocks = getattr(backbone, "blocks", None)
        if blocks is None:
            raise RecipeError(f"{type(backbone).__name__} has no blocks to choose the last of.")
        parts += [*blocks[-int(number) :]]
    elif kind == "lora":
        parts += list(_with_lora(backbone, int(number)))
    elif kind != "head":
        raise RecipeError(f"learns = {what!r}: it can be all, head, last:N or lora:R.")
    for part in parts:
        for parameter in part.parameters():
            parameter.requires_grad_(True)


def head_of(network: nn.Module) -> nn.Module:
    """The last layers, which tell AI from real."""
    head = getattr(network, "head", None)
    if isinstance(head, nn.Module) and hasattr(network, "backbone"):
        return head
    classifier: nn.Module = network.get_classifier()  # type: ignore[operator]
    return classifier


class Lora(nn.Module):
    """A low-rank change of a weight matrix (Hu et al., 2021), W + B A, zero at the start."""

    def __init__(self, rows: int, columns: int, rank: int) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.randn(rank, columns) / math.sqrt(columns))
        self.b = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + self.b @ self.a


def _with_lora(backbone: nn.Module, rank: int) -> list[nn.Module]:
    """Give every linear layer of the blocks a low-rank change; returns these."""
    added: list[nn.Module] = []
    for module in list(backbone.modules()):
        if isinstance(module, nn.Linear):
            lora = Lora(module.out_features, module.in_features, rank)
            parametrize.register_parametrization(module, "weight", lora)
            added.append(lora)
    return added


def plain(network: nn.Module) -> nn.Module:
    """The network with its low-rank changes merged into its weights, in place."""
    for module in network.modules():
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight")
    return network


def set_training(network: nn.Module, frozen_norms: bool = False) -> None:
    """Training mode, except where nothing learns: a frozen batch norm keeps its statistics."""
    network.train()
    for module in network.modules():
        parameters = list(module.parameters())
        still = parameters and not any(p.requires_grad for p in parameters)
        if still or (frozen_norms and isinstance(module, NORMS)):
            module.eval()
