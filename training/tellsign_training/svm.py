"""ResNet-18 features with an RBF support vector machine (Cortes and Vapnik, 1995)."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track
from safetensors.torch import save_file
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tellsign.models.architectures import ResNetSVM
from tellsign_training import journal
from tellsign_training.fit import normalised, validate
from tellsign_training.recipe import Recipe
from tellsign_training.stores import Store

Array = npt.NDArray[np.float32]

GRID = {"C": [0.5, 1.7, 5.0], "gamma": [1 / 1024, 1 / 512, 1 / 256]}
"""Around the study's own C = 1.7 and gamma = 1 / features."""
FOLDS = 5


@torch.inference_mode()
def features(network: ResNetSVM, crops: npt.NDArray[np.uint8], recipe: Recipe) -> Array:
    """Pooled features of crops uint8 [n, S, S, 3]: float32 [n, 512]."""
    network.eval()
    parts = [
        network.features(
            normalised(torch.from_numpy(np.array(crops[i : i + 64])), recipe.mean, recipe.std)
        ).numpy()
        for i in track(range(0, len(crops), 64), "features")
    ]
    return np.concatenate(parts)


def fit_svm(
    recipe: Recipe,
    network: ResNetSVM,
    stores: list[Store],
    val: Store,
    out: Path,
    grid: bool = True,
) -> dict[str, Any]:
    """Fit the machine on one crop of every picture; writes `out/best.safetensors` and the log.

    The grid is searched by k-fold cross-validation on the training pictures, for AUC.
    """
    out.mkdir(parents=True, exist_ok=True)
    x = np.concatenate([features(network, s.crops[s.packed, 0], recipe) for s in stores])
    y = np.concatenate([s.ai[s.packed] for s in stores])
    scaler = StandardScaler().fit(x)
    machine = SVC(C=1.7, gamma=1 / x.shape[1], class_weight="balanced")
    if grid:
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=recipe.fit.seed)
        search = GridSearchCV(machine, GRID, scoring="roc_auc", cv=folds, refit=False)
        machine.set_params(**search.fit(scaler.transform(x), y).best_params_)
    machine.fit(scaler.transform(x), y)
    fitted = into(network, scaler, machine)
    row = {
        "epoch": 1,
        "val_auc": round(validate(fitted, val, recipe), 4),
        "c": machine.C,
        "gamma": machine.gamma,
        "support_vectors": len(machine.support_vectors_),
    }
    save_file({k: v.contiguous() for k, v in fitted.state_dict().items()}, out / "best.safetensors")
    journal.write(out, row)
    return row


def into(network: ResNetSVM, scaler: StandardScaler, machine: SVC) -> ResNetSVM:
    """The network with scikit-learn's machine as its head, giving its decision function."""
    fitted = ResNetSVM(support_vectors=len(machine.support_vectors_)).eval()
    fitted.backbone.load_state_dict(network.backbone.state_dict())
    for name, value in {
        "mean": scaler.mean_, "scale": scaler.scale_, "vectors": machine.support_vectors_,
        "coefficients": machine.dual_coef_[0], "gamma": machine.gamma,
        "intercept": machine.intercept_[0],
    }.items():  # fmt: skip
        getattr(fitted, name).copy_(torch.as_tensor(value))
    return fitted
