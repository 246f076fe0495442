"""Recipes: a model's network, views and schedule as data."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tellsign.views import ViewPlan
from tellsign_training.augment import Augmentation

RECIPES = Path(__file__).parent / "recipes"


class RecipeError(ValueError):
    """A recipe that can't be used; the message says what to change."""


@dataclass(frozen=True)
class FitPlan:
    """The schedule of a training.

    Both classes count the same, and, with `balanced_sources`, within them the sources. The weights
    are those of the labels, of the overlap of masks in pictures that are fake in part, of a
    teacher's hints (see hints.py) and of its logits. With `frozen_norms` batch norms keep the
    statistics that they start with.
    """

    epochs: int = 10
    samples_per_epoch: int = 10_000
    batch: int = 128
    accumulate: int = 1
    optimizer: str = "adamw"
    lr: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.05
    schedule: str = "cosine"
    warmup_epochs: float = 1.0
    label_smoothing: float = 0.0
    ema_decay: float = 0.998
    patience: int = 0
    seed: int = 0
    balanced_sources: bool = True
    label_weight: float = 1.0
    overlap_weight: float = 0.0
    hints_weight: float = 0.0
    logits_weight: float = 0.0
    frozen_norms: bool = False


IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Recipe:
    """One file of `recipes/`, read.

    `network` is what config.json says of the network; `pretrained` timm's name of the weights that
    it starts from, empty for none; `learns` what of it is trained (see networks.py).
    """

    id: str
    title: str
    network: dict[str, Any]
    views: ViewPlan
    fit: FitPlan
    pretrained: str = ""
    learns: str = "all"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    augment: Augmentation = field(default_factory=Augmentation)


def read_recipe(name: str | Path) -> Recipe:
    """A recipe by its name in `recipes/` or by the path of a TOML file.

    Raises:
        RecipeError: no such recipe, or a setting that is missing or unknown.
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = RECIPES / f"{name}.toml"
    if not path.is_file():
        names = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml")))
        raise RecipeError(f"There is no recipe {name}. Available: {names}.")
    try:
        data = tomllib.loads(path.read_text("utf-8"))
        data["views"] = _only(ViewPlan, data["views"])
        data["fit"] = _only(FitPlan, data["fit"])
        data["augment"] = _only(Augmentation, data.get("augment", {}))
        recipe: Recipe = _only(Recipe, data)
        return recipe
    except KeyError as error:
        raise RecipeError(f"{path}: {error} is missing.") from None
    except RecipeError:
        raise
    except (ValueError, TypeError) as error:
        raise RecipeError(f"{path}: {error}.") from None


def _only(kind: type[Any], values: dict[str, Any]) -> Any:
    unknown = set(values) - {setting.name for setting in fields(kind)}
    if unknown:
        raise RecipeError(f"unknown settings: {', '.join(sorted(unknown))}.")
    return kind(**values)
